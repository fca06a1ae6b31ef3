"""Heat maps: what each layer has to say, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mergekit_speech.reports.bench_table import MINUS
from mergekit_speech.reports.canvas import WIDTH, Canvas, shorten

LEFT, MOST_LEFT, LETTER = 104, 156, 6.4
INDENT = 10
HEADING, ROW, GAP = 22, 19, 8
LEAST_TO_WRITE = 22


@dataclass(frozen=True)
class Band:
    """Rows of cells under one heading, with a scale of their own.

    Attributes:
        heading: What is shown.
        columns: Name of each column.
        rows: Label and values of each row; None leaves a cell empty.
        most: Value of the strongest colour; None takes the largest there is.
        digits: Places behind the point.
    """

    heading: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float | None]]]
    most: float | None = None
    digits: int = 2


def heat_map(title: str, bands: Sequence[Band]) -> Canvas:
    """Draws bands of cells below one another; what is below 0 is as light as 0.

    Args:
        title: What a reader who does not see it is told.
        bands: At least one.
    """
    canvas = Canvas(title)
    longest = max((len(label) for band in bands for label, _ in band.rows), default=0)
    left = min(MOST_LEFT, max(LEFT, INDENT + LETTER * longest))
    y = 0.0
    for band in bands:
        width = (WIDTH - left) / max(1, len(band.columns))
        canvas.text(0, y + 15, band.heading, "strong")
        every = -(-max(map(len, band.columns), default=1) * 6 // max(1, int(width)))
        for place, column in enumerate(band.columns):
            if place % max(1, every) == 0:
                canvas.text(left + (place + 0.5) * width, y + 15, column, "tiny muted middle")
        y += HEADING
        most = band.most or max((value or 0 for _, values in band.rows for value in values), default=0) or 1.0
        for label, values in band.rows:
            canvas.text(INDENT, y + 13, shorten(label, int((left - INDENT) / LETTER)), "small")
            for place, value in enumerate(values):
                _draw_cell(canvas, left + place * width, y, width, value, most, band.digits)
            y += ROW
        y += GAP
    canvas.height = y
    return canvas


def _draw_cell(canvas: Canvas, x: float, y: float, width: float, value: float | None, most: float, digits: int) -> None:
    share = 0.0 if value is None else min(1.0, max(0.0, value / most))
    canvas.box(x, y, width - 1, ROW - 1, "ground")
    canvas.box(x, y, width - 1, ROW - 1, "cell", share)
    if width >= LEAST_TO_WRITE and value is not None:
        text = f"{value:z.{digits}f}".replace("-", MINUS)
        style = "tiny number middle on-heat" if share > 0.62 else "tiny number middle"
        canvas.text(x + (width - 1) / 2, y + 12.5, text, style)
