"""Differences from the first encoder with their verdicts, and the SUPERB score of each encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mergekit_speech.superb.columns import Column, Comparison
from mergekit_speech.superb.measured import Cell, MeasuredTask, measure_task, sum_up, sum_up_delta
from mergekit_speech.superb.score import SCORED, superb_score, task_points
from mergekit_speech.superb.uncertainty import Uncertainty, add_up, adjust, judge

if TYPE_CHECKING:
    import numpy.typing as npt

    from mergekit_speech.superb.results import BenchReport

    Array = npt.NDArray[np.float64]

DRAWS = 2000
SEED = 0

Points = Mapping[str, Mapping[str, Cell]]
"""Points of the SUPERB score by task and encoder."""


@dataclass(frozen=True)
class Compared:
    """A bench, compared.

    Attributes:
        columns: Every metric of every task.
        score: The SUPERB score; None where no task counts for it.
        scored: The tasks that count for it, each encoder's points by its label.
        tested: Number of differences that the verdicts are corrected for.
    """

    columns: tuple[Column, ...]
    score: Column | None
    scored: Mapping[str, Mapping[str, float]]
    tested: int


def compare(report: BenchReport, *, draws: int = DRAWS, seed: int = SEED) -> Compared:
    """Every metric and the SUPERB score, each encoder beside the first one, paired by seed and by test item.

    Test items and seeds are drawn again `draws` times, the same for all encoders (`resampling.resample`); the spread of
    the drawn differences gives the interval (`uncertainty.Uncertainty.interval`) and a p-value, and Holm's correction
    over all differences, those of the score included, gives the verdicts. Where no test items were kept, there are
    neither intervals nor verdicts.

    Args:
        report: The bench.
        draws: How many times to resample.
        seed: Of the resampling: the same report gives the same figures.

    Raises:
        DataError: Two probes of a task were tested on different items.
        SettingsError: A figure cannot be scored.

    Source: Speech-FT (arXiv 2502.12672) for the score; see `score.superb_score`.
    """
    labels = [encoder.label for encoder in report.encoders]
    measured = [measure_task(report, task, draws, seed) for task in report.tasks]
    columns = [column for each in measured for column in _columns(each, labels)]
    chosen = [each for each in measured if _counts(each, labels)]
    points = {each.task.name: _points(each, report.references) for each in chosen}
    score = [_score(chosen, points, labels)] if chosen else []
    judged, tested = _judge([*columns, *score])
    for label in labels if chosen else ():
        superb_score({each.task.name: _scored_means(each, label) for each in chosen}, report.references)
    means = {task: {label: cell.mean for label, cell in cells.items()} for task, cells in points.items()}
    return Compared(tuple(judged[: len(columns)]), judged[-1] if chosen else None, means, tested)


def _columns(measured: MeasuredTask, labels: Sequence[str]) -> list[Column]:
    task = measured.task
    return [
        Column(
            task.name,
            metric.name,
            metric.title,
            metric.lower_is_better,
            _compare({label: own[metric.name] for label, own in measured.cells.items()}, labels, measured),
        )
        for metric in task.metrics
    ]


def _compare(cells: Mapping[str, Cell], labels: Sequence[str], measured: MeasuredTask) -> tuple[Comparison, ...]:
    base = cells.get(labels[0])
    rows = []
    for label in labels:
        cell, delta = cells.get(label), None
        if cell is None:
            rows.append(Comparison(label, (), None, None))
            continue
        if base is not None and cell is not base:
            difference = cell - base
            delta = sum_up_delta(difference.values, difference.mean, measured.uncertainty(difference))
        figure = sum_up(cell.values, cell.mean, measured.uncertainty(cell))
        rows.append(Comparison(label, tuple(cell.values.tolist()), figure, delta))
    return tuple(rows)


def _counts(measured: MeasuredTask, labels: Sequence[str]) -> bool:
    """Whether a task counts for the score: it is SUPERB's, has its metrics, and every encoder has a figure."""
    metrics = {metric.name for metric in measured.task.metrics}
    return set(SCORED.get(measured.task.name, ("",))) <= metrics and set(labels) == set(measured.cells)


def _scored_means(measured: MeasuredTask, label: str) -> dict[str, float]:
    return {metric: measured.cells[label][metric].mean for metric in SCORED[measured.task.name]}


def _points(measured: MeasuredTask, references: str) -> dict[str, Cell]:
    name = measured.task.name

    def score(cells: Mapping[str, Cell]) -> Cell:
        chosen = {metric: cells[metric] for metric in SCORED[name]}
        draws = {metric: cell.draws for metric, cell in chosen.items() if cell.draws is not None}
        return Cell(
            task_points(name, {metric: cell.values for metric, cell in chosen.items()}, references),
            task_points(name, draws, references) if len(draws) == len(chosen) else None,
        )

    return {label: score(cells) for label, cells in measured.cells.items()}


def _score(chosen: Sequence[MeasuredTask], points: Points, labels: Sequence[str]) -> Column:
    """The mean of the tasks' points; tasks are probed and tested independently of one another."""
    rows = []
    for label in labels:
        cells = [points[each.task.name][label] for each in chosen]
        figure = sum_up(*_mean(chosen, cells))
        delta = None
        if label != labels[0]:
            base = [points[each.task.name][labels[0]] for each in chosen]
            pairs = zip(cells, base, strict=True)
            delta = sum_up_delta(*_mean(chosen, [cell - other for cell, other in pairs]))
        rows.append(Comparison(label, tuple(_mean(chosen, cells)[0].tolist()), figure, delta))
    return Column(None, "score", "SUPERB score", lower_is_better=False, rows=tuple(rows))


def _mean(chosen: Sequence[MeasuredTask], cells: Sequence[Cell]) -> tuple[Array, float, Uncertainty | None]:
    """The mean of one cell of each task: for each seed that all tasks have, as a figure, and how sure that is."""
    shared = [seed for seed in chosen[0].seeds if all(seed in each.seeds for each in chosen)]
    places = [[each.seeds.index(seed) for seed in shared] for each in chosen]
    values = np.mean([cell.values[own] for cell, own in zip(cells, places, strict=True)], axis=0)
    uncertainty = add_up((1 / len(cells), each.uncertainty(cell)) for each, cell in zip(chosen, cells, strict=True))
    return values, float(np.mean([cell.mean for cell in cells])), uncertainty


def _judge(columns: Sequence[Column]) -> tuple[list[Column], int]:
    """Fills in what only all differences together tell; returns also how many those are."""
    p_values = [row.delta.p for column in columns for row in column.rows if row.delta and row.delta.p is not None]
    adjusted = iter(adjust(p_values))
    return [
        replace(column, rows=tuple(_judge_row(row, column.lower_is_better, adjusted) for row in column.rows))
        for column in columns
    ], len(p_values)


def _judge_row(row: Comparison, lower_is_better: bool, adjusted: Iterator[float]) -> Comparison:
    if row.delta is None or row.delta.p is None:
        return row
    p = next(adjusted)
    gain = -row.delta.mean if lower_is_better else row.delta.mean
    return replace(row, delta=replace(row.delta, adjusted=p, verdict=judge(gain, p)))
