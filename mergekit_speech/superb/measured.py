"""The figures of one task, ready to be compared: seeds paired over encoders, test items resampled for all at once."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import TASKS
from mergekit_speech.superb.columns import Delta, Spread
from mergekit_speech.superb.resampling import Resampled, resample
from mergekit_speech.superb.uncertainty import Uncertainty, measure

if TYPE_CHECKING:
    import numpy.typing as npt

    from mergekit_speech.superb.results import BenchReport, ProbedTask, ProbeResult

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One figure of one encoder, or a difference of two.

    Attributes:
        values: For each seed, shape `(seeds,)`.
        draws: The same under resampling of the test items, shape `(draws, seeds)`; None where nothing was resampled.
    """

    values: Array
    draws: Array | None = None

    def __sub__(self, other: Cell) -> Cell:
        known = None if self.draws is None or other.draws is None else self.draws - other.draws
        return Cell(self.values - other.values, known)

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.values.mean())


@dataclass(frozen=True)
class MeasuredTask:
    """A task's figures.

    Attributes:
        task: The task.
        seeds: Those at which every encoder that has a figure has one.
        cells: By encoder, then by metric; encoders of which no probe came to an end are left out.
        resampled: What resampling gave; None where no test items were kept or their task is gone.
    """

    task: ProbedTask
    seeds: tuple[int, ...]
    cells: Mapping[str, Mapping[str, Cell]]
    resampled: Resampled | None

    def uncertainty(self, cell: Cell) -> Uncertainty | None:
        """How sure a cell of this task is."""
        if self.resampled is None or cell.draws is None:
            return None
        return measure(cell.values, cell.draws, self.resampled.seed_weights, self.resampled.units)


def measure_task(report: BenchReport, task: ProbedTask, draws: int, seed: int) -> MeasuredTask:
    """Collects a task's figures and resamples its test items.

    A seed at which one encoder's probe failed is left out for all of them, so that differences stay paired; an encoder
    of which every probe failed is left out instead.

    Args:
        report: The bench.
        task: One of its tasks.
        draws: How many times to resample.
        seed: Of the resampling.

    Raises:
        DataError: Two probes were tested on different items.
    """
    probes = _probes(report, task.name)
    seeds = tuple(seed for seed in report.seeds if probes and all(seed in own for own in probes.values()))
    if not seeds:
        return MeasuredTask(task, (), {}, None)
    resampled = _resample(task.name, probes, seeds, draws, seed)
    cells = {
        label: {
            metric.name: Cell(
                np.array([own[seed].test[metric.name] for seed in seeds]),
                None if resampled is None else resampled.figures[label][metric.name],
            )
            for metric in task.metrics
        }
        for label, own in probes.items()
    }
    return MeasuredTask(task, seeds, cells, resampled)


def sum_up(values: Array, mean: float, uncertainty: Uncertainty | None) -> Spread:
    """A figure in short; `mean` is that of `values` wherever there are any."""
    deviation = statistics.stdev(values.tolist()) if len(values) > 1 else None
    return Spread(mean, deviation, len(values), None if uncertainty is None else uncertainty.interval(mean))


def sum_up_delta(values: Array, mean: float, uncertainty: Uncertainty | None) -> Delta:
    """A difference in short, yet without its verdict, which depends on all others."""
    spread = sum_up(values, mean, uncertainty)
    error, p = (uncertainty.error, uncertainty.p_value(mean)) if uncertainty else (None, None)
    return Delta(spread.mean, spread.deviation, spread.seeds, spread.interval, error, p)


def _probes(report: BenchReport, task: str) -> dict[str, dict[int, ProbeResult]]:
    """The finished probes of a task by encoder, in the report's order, and seed."""
    found: dict[str, dict[int, ProbeResult]] = {encoder.label: {} for encoder in report.encoders}
    for probe in report.probes:
        if probe.task == task:
            found[probe.encoder][probe.seed] = probe
    return {label: own for label, own in found.items() if own}


def _resample(
    task: str, probes: Mapping[str, Mapping[int, ProbeResult]], seeds: tuple[int, ...], draws: int, seed: int
) -> Resampled | None:
    rows = {label: [own[seed].rows for seed in seeds] for label, own in probes.items()}
    if not all(all(several) for several in rows.values()):
        return None
    try:
        definition = TASKS.load(task)
    except StrategyError:
        # A report may outlive the plugin that its task came from.
        return None
    return resample(definition, rows, draws, seed)
