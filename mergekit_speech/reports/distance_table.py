"""How far two checkpoints are from one another, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mergekit_speech.analysis.distance import Comparison, Distance

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "–"


def distance_table(comparison: Comparison, rows: Sequence[Distance]) -> Table:
    """Makes a rich table: a row for each distance and one for the whole.

    Args:
        comparison: What was compared.
        rows: Its parts, or its parameters.
    """
    from rich.table import Table
    from rich.text import Text

    deltas = comparison.base is not None
    table = Table(caption=_caption(comparison), caption_justify="left")
    table.add_column("part" if rows == comparison.parts else "parameter", overflow="fold")
    for header in ("elements", "L2", "relative L2", "cosine", "same sign"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("delta cosine", "delta same sign") if deltas else ():
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        # Text, since a name may hold what rich takes for markup.
        table.add_row(Text(row.name), *_cells(row, deltas=deltas))
    table.add_section()
    table.add_row(comparison.whole.name, *_cells(comparison.whole, deltas=deltas))
    return table


def _cells(row: Distance, *, deltas: bool) -> list[str]:
    cells = [f"{row.elements:,}", f"{row.l2:.4g}", _percent(row.relative), _cosine(row.cosine), _percent(row.same_sign)]
    return [*cells, _cosine(row.delta_cosine), _percent(row.delta_same_sign)] if deltas else cells


def _percent(fraction: float | None) -> str:
    return NOTHING if fraction is None else f"{100 * fraction:.2f} %"


def _cosine(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.6f}".replace("-", "−")


def _caption(comparison: Comparison) -> str:
    text = f"{comparison.second} against {comparison.first}; relative to the norm of the latter."
    if comparison.base is not None:
        text += f" Deltas are from {comparison.base}."
    unlike = [name for name, same in comparison.unmerged.items() if not same]
    if unlike:
        text += f" Not floating-point, and not the same: {', '.join(unlike)}."
    for path, names in comparison.left_out.items():
        text += f" Left out of {path}: {_count(names)}."
    return text


def _count(left_out: Mapping[str, str]) -> str:
    reasons = Counter(left_out.values())
    return ", ".join(f"{count} ({why})" for why, count in sorted(reasons.items()))
