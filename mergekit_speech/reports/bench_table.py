"""The figures of a bench as a table, for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mergekit_speech.superb.deltas import Column, Comparison, Spread, compare, compare_scores, scored_tasks
from mergekit_speech.superb.results import BenchReport

if TYPE_CHECKING:
    from rich.table import Table

MINUS = "−"


def bench_table(report: BenchReport) -> Table:
    """Makes a rich table: a row for each encoder, a column for each metric, differences from the first below."""
    from rich.table import Table
    from rich.text import Text

    columns = _columns(report)
    table = Table(caption=caption(report, "below"), caption_justify="left", show_lines=True)
    table.add_column("encoder", overflow="fold")
    for column in columns:
        table.add_column(Text(_header(column)), justify="right", no_wrap=True)
    for place, encoder in enumerate(report.encoders):
        cells = ("\n".join(_cell(column, column.rows[place])) for column in columns)
        # Text, since a label may hold what rich takes for markup.
        table.add_row(Text(encoder.label), *map(Text, cells))
    return table


def bench_markdown(report: BenchReport) -> str:
    """Writes the same table in Markdown, differences in brackets, and the caption below it."""
    columns = _columns(report)
    lines = [_line(["encoder", *map(_header, columns)]), _line(["---", *("---:" for _ in columns)])]
    for place, encoder in enumerate(report.encoders):
        cells = (_cell(column, column.rows[place]) for column in columns)
        label = encoder.label.replace("|", r"\|")
        lines.append(_line([label, *(f"{cell[0]} ({cell[1]})" if len(cell) > 1 else cell[0] for cell in cells)]))
    return "\n".join([*lines, "", caption(report, "in brackets"), ""])


def caption(report: BenchReport, where: str) -> str:
    """Says what the figures are.

    Args:
        report: The bench.
        where: Where in a cell the difference stands.
    """
    seeds = len(report.seeds)
    spread = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed, so no spread"
    text = f"{spread}; test figures in percent."
    if len(report.encoders) > 1:
        text += f" {where.capitalize()}: difference from {report.encoders[0].label}, paired by seed."
    tasks = [task.name for task in scored_tasks(report)]
    if tasks:
        text += f" SUPERB score over {', '.join(tasks)} with the references {report.references}, on this data."
    return text


def _columns(report: BenchReport) -> list[Column]:
    score = compare_scores(report)
    return [*compare(report), *([score] if score else [])]


def _header(column: Column) -> str:
    task = f"{column.task.upper()} " if column.task else ""
    return f"{task}{column.title} {'↓' if column.lower_is_better else '↑'}"


def _cell(column: Column, row: Comparison) -> list[str]:
    # Scores are points already, everything else is a fraction.
    factor = 100 if column.task else 1
    digits = 2 if column.task else 0
    cell = [_show(row.figure, factor, digits, signed=False)]
    if row.delta is not None:
        cell.append(_show(row.delta, factor, digits, signed=True))
    return cell


def _show(spread: Spread, factor: int, digits: int, *, signed: bool) -> str:
    mean = f"{factor * spread.mean:{'+' if signed else ''}.{digits}f}".replace("-", MINUS)
    return mean if spread.deviation is None else f"{mean} ± {factor * spread.deviation:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
