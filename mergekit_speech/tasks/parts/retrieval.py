"""How well scores find the clips in which a query is spoken."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mergekit_speech.tasks.parts.rows import Counts

Scores = npt.NDArray[np.floating]
Hits = npt.NDArray[np.bool_]
TARGET_PRIOR = 0.0008
COST_RATIO = 1 / 100
"""Cost of a false alarm over that of a miss."""
ALARM_WEIGHT = COST_RATIO * (1 / TARGET_PRIOR - 1)
"""What the rate of false alarms weighs beside that of misses: 12.49."""


def maximum_term_weighted_values(scores: Scores, hits: Hits, counts: Counts) -> npt.NDArray[np.float64]:
    """Term-weighted value of the best of all thresholds that the queries could share; 1 is perfect, 0 finds nothing.

    Args:
        scores: Of each query and each clip searched, comparable across queries, shape `(queries, clips)`.
        hits: Where the query is spoken, at least once in each row, shape `(queries, clips)`.
        counts: How often each query counts in each draw, at least one of them, shape `(draws, queries)`.

    Returns:
        1 - the mean over queries of (miss rate + 12.49 · false-alarm rate), at least 0, for each draw.

    Source: NIST 2006 Spoken Term Detection Evaluation Plan, one trial a query and clip; prior 0.0008 and costs 100
        (miss) and 1 (false alarm) of MediaEval QUESST 2014 (Anguera et al., ICASSP 2015), which its scorer is given as
        the one prior 0.0741289 at equal costs: 0.0008 · 100 / (0.0008 · 100 + 0.9992 · 1).
    """
    found, total = hits.sum(axis=1, keepdims=True), hits.shape[1]
    order = np.argsort(-scores, axis=None, kind="stable")
    # No threshold parts equal scores.
    cuts = np.append(np.diff(scores.ravel()[order]) != 0, True)
    gain = np.where(hits, 1 / found, -ALARM_WEIGHT / np.maximum(total - found, 1)).ravel()[order]
    queries = order // total
    best = [(gain * count[queries]).cumsum()[cuts].max() / count.sum() for count in counts]
    return np.maximum(np.array(best, dtype=np.float64), 0)


def average_precisions(scores: Scores, hits: Hits) -> npt.NDArray[np.float64]:
    """Average precision of each query, a fraction, shape `(queries,)`; arguments as above.

    Source: scikit-learn's `average_precision_score`: no interpolation.
    """
    from sklearn.metrics import average_precision_score

    return np.array([average_precision_score(*pair) for pair in zip(hits, scores, strict=True)])
