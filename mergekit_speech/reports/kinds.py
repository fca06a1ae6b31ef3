"""What a document of each kind looks like: as a table, as a page, as plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mergekit_speech.errors import DataError
from mergekit_speech.reports.bench_plot import plot_deltas
from mergekit_speech.reports.bench_table import bench_markdown, bench_table

if TYPE_CHECKING:
    from rich.console import RenderableType

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How documents of one kind are shown.

    Attributes:
        table: For the terminal.
        markdown: For `table.md`.
        plot: Writes plots into a folder.
    """

    table: Callable[[Document], RenderableType]
    markdown: Callable[[Document], str]
    plot: Callable[[Document, Path], object]


KINDS: Final[Mapping[str, Kind]] = {"bench": Kind(bench_table, bench_markdown, plot_deltas)}


def kind_of(document: Document) -> Kind:
    """How a document is shown.

    Raises:
        DataError: It is of no known kind.
    """
    name = document.get("kind")
    if name not in KINDS:
        raise DataError(
            f"expected results of a kind among {', '.join(KINDS)}, came {name!r}: name a folder that msm bench, sweep or"
            " analyze wrote"
        )
    return KINDS[name]
