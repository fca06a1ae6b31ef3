"""What a document of each kind looks like: as a table, as a page, as plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mergekit_speech.errors import DataError
from mergekit_speech.reports.analysis_sections import (
    analysis_markdown,
    analysis_sections,
    analysis_table,
    plot_nothing,
)
from mergekit_speech.reports.bench_plot import plot_deltas
from mergekit_speech.reports.bench_sections import bench_sections
from mergekit_speech.reports.bench_table import bench_markdown, bench_table
from mergekit_speech.reports.page import html_page, names
from mergekit_speech.reports.provenance import provenance
from mergekit_speech.reports.sections import Section
from mergekit_speech.reports.sweep_sections import plot_curves, sweep_markdown, sweep_sections, sweep_table

if TYPE_CHECKING:
    from rich.console import RenderableType

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How documents of one kind are shown.

    Attributes:
        title: Of the page.
        table: For the terminal.
        markdown: For `table.md`.
        sections: Of the page.
        plot: Writes plots into a folder.
    """

    title: str
    table: Callable[[Document], RenderableType]
    markdown: Callable[[Document], str]
    sections: Callable[[Document], list[Section]]
    plot: Callable[[Document, Path], object]


KINDS: Final[Mapping[str, Kind]] = {
    "bench": Kind("Frozen encoders on SUPERB", bench_table, bench_markdown, bench_sections, plot_deltas),
    "sweep": Kind("Merges along α", sweep_table, sweep_markdown, sweep_sections, plot_curves),
    "analysis": Kind(
        "What tuning and merging changed", analysis_table, analysis_markdown, analysis_sections, plot_nothing
    ),
}


def kind_of(document: Document) -> Kind:
    """How a document is shown.

    Raises:
        DataError: It is of no known kind.
    """
    name = document.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise DataError(
            f"expected results of a kind among {', '.join(KINDS)}, came {name!r}: name a folder that msm bench, sweep"
            " or analyze wrote"
        )
    return KINDS[name]


def page(document: Document) -> str:
    """The whole page of a report: its own sections, those of what is attached to it, and where all comes from."""
    attached = document.get("attached", ())
    sections = [*kind_of(document).sections(document)]
    for other in attached:
        sections += kind_of(other).sections(other)
    sections.append(provenance(document))
    sections += [provenance(other, f"Provenance of the {other['kind']}") for other in attached]
    return html_page(kind_of(document).title, names(document), sections)
