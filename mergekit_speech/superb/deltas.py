"""Means over seeds, differences from the first encoder, and the SUPERB score of each encoder."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mergekit_speech.superb.results import BenchReport, ProbedTask
from mergekit_speech.superb.score import SCORED, superb_score


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds in short.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation, with n - 1 degrees of freedom; None for one seed.
        seeds: How many.
    """

    mean: float
    deviation: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sums up at least one figure."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Comparison:
    """One metric of one encoder.

    Attributes:
        encoder: Label of the encoder.
        values: The metric for each seed: a fraction, or points of the SUPERB score.
        figure: The same in short.
        delta: Differences from the first encoder at the same seed, in short; None for the first encoder.
    """

    encoder: str
    values: tuple[float, ...]
    figure: Spread
    delta: Spread | None


@dataclass(frozen=True)
class Column:
    """One metric of all encoders.

    Attributes:
        task: Name of the task; None for the SUPERB score, which is over several.
        metric: Name of the metric.
        title: As tables show it.
        lower_is_better: Its direction.
        rows: One for each encoder, in their order.
    """

    task: str | None
    metric: str
    title: str
    lower_is_better: bool
    rows: tuple[Comparison, ...]


def compare(report: BenchReport) -> list[Column]:
    """Every metric of every task, each encoder beside the first one, paired by seed."""
    return [
        Column(task.name, metric.name, metric.title, metric.lower_is_better, _rows(report, task.name, metric.name))
        for task in report.tasks
        for metric in task.metrics
    ]


def scored_tasks(report: BenchReport) -> list[ProbedTask]:
    """The tasks of a report that count for the SUPERB score, in the order of the report."""
    return [
        task for task in report.tasks if set(SCORED.get(task.name, ("",))) <= {metric.name for metric in task.metrics}
    ]


def compare_scores(report: BenchReport) -> Column | None:
    """The SUPERB score of every encoder over the tasks of the report, per seed; None if no task counts for it.

    Source: Speech-FT (arXiv 2502.12672) for the score; see `score.superb_score`.
    """
    tasks = scored_tasks(report)
    if not tasks:
        return None
    values = {encoder.label: _scores(report, encoder.label, tasks) for encoder in report.encoders}
    return Column(None, "score", "SUPERB score", False, _compare(values))


def document(report: BenchReport) -> dict[str, Any]:
    """The content of `results.json`: plain data, figures as fractions."""
    score = compare_scores(report)
    return {
        "kind": "bench",
        "data": str(report.data),
        "versions": dict(report.versions),
        "seeds": list(report.seeds),
        "encoders": [asdict(encoder) for encoder in report.encoders],
        "deltas_refer_to": report.encoders[0].label,
        "tasks": [asdict(task) for task in report.tasks],
        "probes": [probe.document() for probe in report.probes],
        "figures": [
            {"task": column.task, "metric": column.metric, **asdict(row)}
            for column in compare(report)
            for row in column.rows
        ],
        "score": score
        and {
            "references": report.references,
            "tasks": [task.name for task in scored_tasks(report)],
            "figures": [asdict(row) for row in score.rows],
        },
    }


def _rows(report: BenchReport, task: str, metric: str) -> tuple[Comparison, ...]:
    return _compare({encoder.label: report.values(encoder.label, task, metric) for encoder in report.encoders})


def _compare(values: dict[str, list[float]]) -> tuple[Comparison, ...]:
    (first, base), *others = values.items()
    rows = [Comparison(first, tuple(base), Spread.of(base), None)]
    for label, own in others:
        delta = Spread.of([one - other for one, other in zip(own, base, strict=True)])
        rows.append(Comparison(label, tuple(own), Spread.of(own), delta))
    return tuple(rows)


def _scores(report: BenchReport, encoder: str, tasks: Sequence[ProbedTask]) -> list[float]:
    by_task = {task.name: {m: report.values(encoder, task.name, m) for m in SCORED[task.name]} for task in tasks}
    return [
        superb_score(
            {task: {metric: values[place] for metric, values in metrics.items()} for task, metrics in by_task.items()},
            report.references,
        ).value
        for place in range(len(report.seeds))
    ]
