"""The figures of a bench as a table, for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mergekit_speech.superb.columns import Column, Comparison, Delta, Spread, read_columns

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable, Group
    from rich.table import Table

MINUS = "−"
NONE = "–"


def bench_table(document: Mapping[str, Any]) -> Group:
    """Makes rich tables: a row for each metric and encoder, and the points of the score by task.

    Args:
        document: Of kind `bench`.
    """
    from rich.console import Group
    from rich.text import Text

    blocks: list[ConsoleRenderable] = [
        _figures(read_columns(document)),
        *_points(document),
        Text(caption(document), style="italic"),
        *map(Text, remarks(document)),
    ]
    return Group(*(part for block in blocks for part in (block, Text())))


def bench_markdown(document: Mapping[str, Any]) -> str:
    """Writes a Markdown table with a row for each metric and a column for each encoder, and what it says below."""
    columns, labels = read_columns(document), [encoder["label"] for encoder in document["encoders"]]
    lines = [_line(["", *(label.replace("|", r"\|") for label in labels)]), _line(["---", *("---:" for _ in labels)])]
    lines += [_line([column.heading, *(_markdown_cell(column, row) for row in column.rows)]) for column in columns]
    return "\n\n".join(["\n".join(lines), caption(document), *remarks(document)]) + "\n"


def caption(document: Mapping[str, Any]) -> str:
    """Says what the figures are."""
    seeds = len(document["seeds"])
    text = "Test figures in percent"
    text += f", mean ± standard deviation over {seeds} seeds." if seeds > 1 else ", one seed."
    if len(document["encoders"]) > 1:
        text += f" Deltas from {document['deltas_refer_to']}, paired by seed and test item. {_say_statistics(document)}"
    if document["score"] is not None:
        tasks, references = ", ".join(document["score"]["tasks"]), document["score"]["references"]
        text += f" SUPERB score over {tasks} with the references {references}, on this data."
    if any(probe["tried"] for probe in document["probes"]):
        text += " Learning rates chosen on validation figures alone, for each encoder and task."
    return text


def remarks(document: Mapping[str, Any]) -> list[str]:
    """A line for everything that did not come to an end, and for figures that must be read with care."""
    return [f"Note: {note}" for note in document["notes"]] + [
        f"Failed: {failure['encoder']}"
        + (f", {failure['task']}" if failure["task"] else "")
        + (f", seed {failure['seed']}" if failure["seed"] is not None else "")
        + f": {failure['message']}"
        for failure in document["failures"]
    ]


def show(value: float, column: Column, *, signed: bool = False) -> str:
    """A number in the unit and with the digits of its column."""
    return f"{column.factor * value:{'+' if signed else ''}z.{column.digits}f}".replace("-", MINUS)


def show_figure(column: Column, figure: Spread | None) -> str:
    """A mean with its standard deviation, as `12.34 ± 0.56`."""
    if figure is None:
        return NONE
    mean = show(figure.mean, column)
    return mean if figure.deviation is None else f"{mean} ± {show(figure.deviation, column)}"


def show_delta(column: Column, delta: Delta) -> str:
    """A difference, as `+1.23`; where there is no interval its standard deviation, as `+1.23 ± 0.45`."""
    mean = show(delta.mean, column, signed=True)
    known = delta.interval is not None or delta.deviation is None
    return mean if known else f"{mean} ± {show(delta.deviation or 0.0, column)}"


def show_interval(column: Column, spread: Spread) -> str:
    """An interval of a difference, as `[−1.23, +0.45]`, or nothing."""
    if spread.interval is None:
        return ""
    low, high = (show(end, column, signed=True) for end in spread.interval)
    return f"[{low}, {high}]"


def _say_statistics(document: Mapping[str, Any]) -> str:
    statistics = document["statistics"]
    if not statistics["tested"]:
        return "No intervals or verdicts: the test items were not kept, or are too few."
    seeds = "" if len(document["seeds"]) > 1 else " One seed: they say nothing of training again."
    return (
        f"95 % intervals by {statistics['draws']} resamples of test items and seeds;"
        f" verdicts at {100 * statistics['level']:g} % after Holm's correction over all {statistics['tested']} deltas."
        f"{seeds}"
    )


def _figures(columns: Sequence[Column]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for heading, right in (("metric", False), ("encoder", False), ("figure", True), ("delta", True)):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for column in columns:
        for place, row in enumerate(column.rows):
            # Text, since a label may hold what rich takes for markup.
            cells = [column.heading if place == 0 else "", row.encoder, *_cells(column, row)]
            table.add_row(*map(Text, cells))
    return table


def _cells(column: Column, row: Comparison) -> Iterator[str]:
    yield show_figure(column, row.figure)
    if row.delta is None:
        yield from ("", "", "")
        return
    yield show_delta(column, row.delta)
    yield show_interval(column, row.delta)
    yield row.delta.verdict or ""


def _points(document: Mapping[str, Any]) -> list[Table]:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    score = document["score"]
    if score is None:
        return []
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("SUPERB score", overflow="fold")
    for task in score["tasks"]:
        table.add_column(Text(task), justify="right")
    table.add_column("mean", justify="right")
    for row in score["figures"]:
        points = [*row["tasks"].values(), row["figure"]["mean"]]
        table.add_row(Text(row["encoder"]), *(f"{value:z.0f}".replace("-", MINUS) for value in points))
    return [table]


def _markdown_cell(column: Column, row: Comparison) -> str:
    cell = show_figure(column, row.figure)
    if row.delta is None:
        return cell
    parts = [show_delta(column, row.delta), show_interval(column, row.delta), row.delta.verdict or ""]
    return f"{cell}<br>{' '.join(filter(None, parts))}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
