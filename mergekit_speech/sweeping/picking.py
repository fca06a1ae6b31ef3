"""Which point of a sweep is best, by validation clips alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mergekit_speech.superb.results import ProbedTask, ProbeResult
from mergekit_speech.superb.score import SCORED, task_points

Scores = Mapping[str, float]
"""Mean points by label."""
METRIC = "points"


@dataclass(frozen=True)
class Picked:
    """The best point.

    Attributes:
        label: Its name.
        metric: What it is best by.
        why: In words.
    """

    label: str
    metric: str
    why: str


def validation_scores(probes: Iterable[ProbeResult], tasks: Sequence[ProbedTask], references: str) -> Scores:
    """Scores points by the figures of their validation splits.

    Each task counts the same: with its points of the SUPERB score; a task that has none there, with a thousandth of its
    first metric as a point. Points of the sweep that lack a probe which another one has are left out.

    Args:
        probes: Finished probes; nothing but their `valid` is looked at.
        tasks: Tasks, in any order.
        references: Set of reference figures for the points.
    """
    known = {task.name: task for task in tasks}
    found: dict[str, dict[tuple[str, int], float]] = {}
    for probe in probes:
        points = _points(known[probe.task], probe.valid, references)
        if math.isfinite(points):
            found.setdefault(probe.encoder, {})[probe.task, probe.seed] = points
    every = {key for own in found.values() for key in own}
    return {
        label: fmean(fmean(points for (name, _), points in own.items() if name == task) for task in {t for t, _ in own})
        for label, own in found.items()
        if own.keys() == every
    }


def pick(scores: Scores, order: Sequence[str]) -> Picked | None:
    """Picks the point with the most points; of equal ones, the first in order. None where there are no scores."""
    known = [label for label in order if label in scores]
    if not known:
        return None
    best = max(known, key=lambda label: scores[label])
    why = f"{scores[best]:.1f} points on validation clips, the most of {len(known)}"
    beside = "" if best == order[0] or order[0] not in scores else f"; {order[0]}: {scores[order[0]]:.1f}"
    return Picked(best, METRIC, why + beside)


def _points(task: ProbedTask, figures: Mapping[str, float], references: str) -> float:
    if task.name in SCORED and all(name in figures for name in SCORED[task.name]):
        return float(task_points(task.name, figures, references))
    metric = task.metrics[0]
    figure = figures.get(metric.name, math.nan)
    return 1000 * (1 - figure if metric.lower_is_better else figure)
