"""What a page is made of: sections of text, figures and tables, whatever the kind of report."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mergekit_speech.reports.canvas import Canvas

Cell = str | float | int | None


@dataclass(frozen=True)
class Figure:
    """A drawing with the data that it shows.

    Attributes:
        name: Of the files that it can be saved as.
        caption: What it shows.
        drawing: The drawing.
        headings: Of its data.
        rows: Its data.
    """

    name: str
    caption: str
    drawing: Canvas
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def svg(self) -> str:
        """For the page, whose colours it takes."""
        return self.drawing.svg(alone=False)

    @property
    def svg_link(self) -> str:
        """The drawing as a file of its own, in a data link."""
        return _link("image/svg+xml", self.drawing.svg(alone=True))

    @property
    def csv_link(self) -> str:
        """The data as a file, in a data link."""
        return _link("text/csv", csv_text(self.headings, self.rows))


@dataclass(frozen=True)
class Entry:
    """A cell of a table as it is shown.

    Attributes:
        text: Its text.
        look: Classes of the style sheet.
    """

    text: str
    look: str = ""


@dataclass(frozen=True)
class Listing:
    """A table.

    Attributes:
        name: Of the file that it can be saved as.
        headings: One a column.
        rows: As they are shown.
        data: As they are saved: plain numbers, under `keys`.
        keys: Headings of the data.
        folded: Whether a page shows it on demand, since a drawing says the same.
    """

    name: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    keys: Sequence[str]
    data: Sequence[Sequence[Cell]]
    folded: bool = False

    @property
    def csv_link(self) -> str:
        """The data as a file, in a data link."""
        return _link("text/csv", csv_text(self.keys, self.data))


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: Its heading.
        text: Paragraphs before the rest.
        figures: Side by side where there is room.
        listings: Below one another.
        folded: Title and text of what is shown on demand.
    """

    title: str
    text: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    listings: Sequence[Listing] = ()
    folded: Sequence[tuple[str, str]] = ()


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as comma-separated values; what is None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue()


def _link(kind: str, text: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{b64encode(text.encode()).decode()}"
