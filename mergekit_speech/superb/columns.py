"""The figures of a bench side by side: what tables, plots and pages show. No torch is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mergekit_speech.superb.uncertainty import Verdict

Interval = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """Figures of several seeds in short.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation, with n - 1 degrees of freedom; None for one seed.
        seeds: How many.
        interval: 95 % interval of the mean; None where nothing could be resampled.
    """

    mean: float
    deviation: float | None
    seeds: int
    interval: Interval | None = None


@dataclass(frozen=True)
class Delta(Spread):
    """Differences from the first encoder at the same seeds, in short.

    Attributes:
        error: Standard error of the mean difference; None as `interval` is.
        p: Probability of a difference at least as large, were there none.
        adjusted: The same, corrected for all differences of the bench.
        verdict: What that says; None where there is no `p`.
    """

    error: float | None = None
    p: float | None = None
    adjusted: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Comparison:
    """One metric of one encoder.

    Attributes:
        encoder: Label of the encoder.
        values: The metric for each seed: a fraction, or points of the SUPERB score.
        figure: The same in short; None if no probe of this encoder came to an end.
        delta: Against the first encoder; None for the first encoder, or if one of the two has no figure.
    """

    encoder: str
    values: tuple[float, ...]
    figure: Spread | None
    delta: Delta | None


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

    @property
    def heading(self) -> str:
        """Task, metric and direction, as `PR PER ↓`."""
        return f"{self.name} {'↓' if self.lower_is_better else '↑'}"

    @property
    def name(self) -> str:
        """Task and metric, as `PR PER`."""
        return f"{self.task.upper()} {self.title}" if self.task else self.title

    @property
    def factor(self) -> int:
        """Fractions are shown in percent; a score is in points already."""
        return 100 if self.task else 1

    @property
    def digits(self) -> int:
        """Places behind the point in which it is shown."""
        return 2 if self.task else 0


def read_columns(document: Mapping[str, Any]) -> list[Column]:
    """The columns that a document of kind `bench` holds, the SUPERB score last.

    Raises:
        KeyError, TypeError: The document is something else.
    """
    columns = [
        Column(task["name"], metric["name"], metric["title"], metric["lower_is_better"], rows)
        for task in document["tasks"]
        for metric in task["metrics"]
        if (rows := _read_rows(document["figures"], task["name"], metric["name"]))
    ]
    score = document["score"]
    if score is not None:
        rows = tuple(_read_row(row) for row in score["figures"])
        columns.append(Column(None, "score", "SUPERB score", lower_is_better=False, rows=rows))
    return columns


def _read_rows(figures: Sequence[Mapping[str, Any]], task: str, metric: str) -> tuple[Comparison, ...]:
    return tuple(_read_row(row) for row in figures if (row["task"], row["metric"]) == (task, metric))


def _read_row(row: Mapping[str, Any]) -> Comparison:
    figure, delta = row["figure"], row["delta"]
    return Comparison(
        row["encoder"],
        tuple(row["values"]),
        figure and Spread(**_with_interval(figure)),
        delta and Delta(**_with_interval(delta)),
    )


def _with_interval(spread: Mapping[str, Any]) -> dict[str, Any]:
    interval = spread.get("interval")
    return {**spread, "interval": interval and (interval[0], interval[1])}
