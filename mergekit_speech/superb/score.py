"""The SUPERB score: how far an encoder comes from filterbank features to the best published encoder, over tasks.

Two sets of reference figures exist. Scores from different sets must not be compared, so a score names its set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import suggestion

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Figures = TypeVar("Figures", float, "npt.NDArray[np.float64]")


@dataclass(frozen=True)
class Anchor:
    """What one metric of one task scores 0 and 1 at.

    Attributes:
        floor: Figure of filterbank features, percent.
        top: Best published figure, percent; below `floor` where less is better.
    """

    floor: float
    top: float


Anchors = Mapping[str, Mapping[str, Anchor]]

_SPEECH_FT: Final[Anchors] = {
    "pr": {"per": Anchor(82.01, 2.38)},
    "asr": {"wer": Anchor(23.18, 3.36)},
    "ks": {"acc": Anchor(8.63, 97.89)},
    "qbe": {"mtwv": Anchor(0.58, 11.25)},
    "sid": {"acc": Anchor(0.00085, 95.25)},
    "asv": {"eer": Anchor(9.56, 3.84)},
    "sd": {"der": Anchor(10.05, 3.47)},
    "ic": {"acc": Anchor(9.10, 99.34)},
    "sf": {"slot_type_f1": Anchor(69.64, 92.25), "slot_value_cer": Anchor(52.94, 17.61)},
    "er": {"acc": Anchor(35.39, 70.68)},
}

_SUPERB_SITE: Final[Anchors] = {
    "pr": {"per": Anchor(82.01, 3.53)},
    "asr": {"wer": Anchor(23.18, 3.62)},
    "ks": {"acc": Anchor(41.383, 96.66)},
    "qbe": {"mtwv": Anchor(0.58, 7.36)},
    "sid": {"acc": Anchor(20.058, 90.3)},
    "asv": {"eer": Anchor(9.56, 5.11)},
    "sd": {"der": Anchor(10.05, 5.62)},
    "ic": {"acc": Anchor(9.649, 98.76)},
    "sf": {"slot_type_f1": Anchor(69.64, 89.81), "slot_value_cer": Anchor(52.94, 21.76)},
    "er": {"acc": Anchor(48.237, 67.62)},
}

REFERENCES: Final[Mapping[str, Anchors]] = MappingProxyType({"speech-ft": _SPEECH_FT, "superb-site": _SUPERB_SITE})
"""Sets of reference figures by name, each by task and metric."""

SCORED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({name: tuple(m) for name, m in _SPEECH_FT.items()})
"""The metrics that count for each task; both sets have the same."""

# Insertions push error rates over 1; the others are shares of something.
_AT_MOST_ONE: Final = frozenset({"acc", "slot_type_f1", "mtwv", "eer"})


@dataclass(frozen=True)
class Score:
    """A SUPERB score and what it is made of.

    Attributes:
        value: Mean over the tasks; 0 for filterbank features, 1000 for the best published figures, unbounded both ways.
        tasks: Each task's own score on the same scale, in the order of SUPERB's table.
        references: Name of the set of reference figures.
    """

    value: float
    tasks: Mapping[str, float]
    references: str


def superb_score(figures: Mapping[str, Mapping[str, float]], references: str = "speech-ft") -> Score:
    """Score an encoder on the tasks that it was probed on.

    The references come from the full SUPERB corpora: on other recordings the score only ranks encoders against each
    other, and only over the same tasks.

    Args:
        figures: Metric values by task, as fractions (0.0517 for a PER of 5.17 %), MTWV as it is. Tasks: pr, asr, ks,
            qbe, sid, asv, sd, ic, sf, er; each with exactly its metrics in `SCORED`.
        references: `speech-ft` or `superb-site`.

    Returns:
        The score over the given tasks, each of the same weight; a task with two metrics is their mean.

    Raises:
        SettingsError: The set, a task or a metric is unknown, a metric is missing, no task is given, or a figure is
            not finite or out of range.

    Source: Lin et al., "Speech-FT", arXiv 2502.12672, for the formula and the set `speech-ft` (its floors and tops are
        those that reproduce the paper's scores); the leaderboard at superbbenchmark.org for the set `superb-site`.
    """
    if references not in REFERENCES:
        raise SettingsError(_unknown("set of references", references, REFERENCES, "the SUPERB score"))
    if not figures:
        raise SettingsError(
            f"expected figures of at least one task for the SUPERB score, got {figures!r}: probe a task"
        )
    for task, metrics in figures.items():
        _check(task, metrics)
    tasks = {task: task_points(task, figures[task], references) for task in REFERENCES[references] if task in figures}
    return Score(sum(tasks.values()) / len(tasks), tasks, references)


def task_points(task: str, metrics: Mapping[str, Figures], references: str) -> Figures:
    """What one task adds to the mean that the score is, unchecked; figures may be arrays of one shape."""
    anchors = REFERENCES[references][task]
    scale = 1000 / len(anchors)
    parts = [
        (100 * metrics[name] - anchor.floor) * (scale / (anchor.top - anchor.floor)) for name, anchor in anchors.items()
    ]
    return sum(parts[1:], parts[0])


def _check(task: str, metrics: Mapping[str, float]) -> None:
    if task not in SCORED:
        raise SettingsError(_unknown("task", task, SCORED, "the SUPERB score"))
    expected = dict.fromkeys(SCORED[task])
    for metric, figure in metrics.items():
        if metric not in expected:
            raise SettingsError(_unknown("metric", metric, expected, f"task {task!r} of the SUPERB score"))
        _check_figure(task, metric, figure)
    if missing := [metric for metric in expected if metric not in metrics]:
        raise SettingsError(f"expected metric {missing[0]!r} of task {task!r} for the SUPERB score, got none: add it")


def _check_figure(task: str, metric: str, figure: float) -> None:
    most = 1.0 if metric in _AT_MOST_ONE else math.inf
    if math.isfinite(figure) and 0 <= figure <= most:
        return
    wanted = "in [0, 1]" if most == 1 else "of at least 0"
    way_out = "divide percentages by 100" if 1 < figure < math.inf else "probe the task again"
    raise SettingsError(
        f"expected a finite fraction {wanted} as metric {metric!r} of task {task!r}, got {figure!r}: {way_out}"
    )


def _unknown(kind: str, name: str, known: Mapping[str, object], where: str) -> str:
    return f"expected a {kind} among {', '.join(known)}, got {name!r} in {where}{suggestion(name, known)}"
