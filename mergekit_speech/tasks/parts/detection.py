"""How well scores tell trials of one speaker from trials of two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    misses = 1 - hits
    equal = np.interp(0.0, alarms - misses, alarms)
    cost = TARGET_PRIOR * misses + (1 - TARGET_PRIOR) * alarms
    return float(equal), float(cost.min() / min(TARGET_PRIOR, 1 - TARGET_PRIOR))
