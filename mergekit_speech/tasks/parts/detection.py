"""How well scores tell trials of one speaker from trials of two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mergekit_speech.tasks.parts.rows import Counts

Scores = npt.NDArray[np.floating]
Truth = npt.NDArray[np.integer] | npt.NDArray[np.bool_]
TARGET_PRIOR = 0.01
"""Share of target trials that the detection cost supposes."""


def detection_errors(scores: Scores, targets: Truth) -> tuple[float, float]:
    """Equal error rate and minimum detection cost.

    Args:
        scores: Higher is more alike, shape `(trials,)`.
        targets: 1 where both sides are one speaker, shape `(trials,)`.

    Returns:
        The rate at which misses and false alarms are equally frequent, on straight lines between the points of the
        ROC, and the lowest cost of a threshold as a part of the cost of the best answer that hears nothing: both
        fractions, NaN where there are no targets or nothing else.

    Source: NIST 2016 Speaker Recognition Evaluation Plan, section 3; prior 0.01 and equal costs as s3prl.
    """
    from sklearn.metrics import roc_curve

    if targets.all() or not targets.any():
        return float("nan"), float("nan")
    alarms, hits, _ = roc_curve(targets, scores)
    return _from_roc(alarms, 1 - hits)


def drawn_detection_errors(
    scores: Scores, targets: Truth, counts: Counts
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What `detection_errors` gives for many draws of the trials, many times faster: shape `(draws,)` each.

    Args:
        scores: As there.
        targets: As there.
        counts: How often each trial counts in each draw, shape `(draws, trials)`.
    """
    order = np.argsort(-scores, kind="stable")
    # No threshold parts equal scores.
    cuts = np.append(np.diff(scores[order]) != 0, True)
    wanted = targets[order].astype(bool)
    errors = [_errors_of(count[order] * wanted, count[order] * ~wanted, cuts) for count in counts]
    equal, cost = np.array(errors, dtype=np.float64).T
    return equal, cost


def _errors_of(
    targets: npt.NDArray[np.integer], others: npt.NDArray[np.integer], cuts: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Both errors from how many trials of each kind there are at each place, the highest score first."""
    hits, alarms = targets.cumsum(), others.cumsum()
    if not hits[-1] or not alarms[-1]:
        return float("nan"), float("nan")
    misses = np.append(1.0, 1 - hits[cuts] / hits[-1])
    return _from_roc(np.append(0.0, alarms[cuts] / alarms[-1]), misses)


def _from_roc(alarms: npt.NDArray[np.float64], misses: npt.NDArray[np.float64]) -> tuple[float, float]:
    cost = TARGET_PRIOR * misses + (1 - TARGET_PRIOR) * alarms
    return float(np.interp(0.0, alarms - misses, alarms)), float(cost.min() / min(TARGET_PRIOR, 1 - TARGET_PRIOR))
