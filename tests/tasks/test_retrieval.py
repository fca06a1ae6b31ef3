"""Term-weighted value and average precision, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mergekit_speech.tasks.parts.retrieval import (
    ALARM_WEIGHT,
    average_precisions,
    maximum_term_weighted_values,
)

HITS = np.array([[True, True, False, False], [False, False, True, False]])


def value(scores: np.ndarray, hits: np.ndarray) -> float:
    return float(maximum_term_weighted_values(scores, hits, np.ones((1, len(hits)), dtype=np.int64))[0])


def test_false_alarms_weigh_as_in_quesst() -> None:
    assert pytest.approx(12.49) == ALARM_WEIGHT
    # The prior at equal costs that the official scorer's README hands to it.
    assert pytest.approx(0.0741289, abs=1e-7) == 1 / (1 + ALARM_WEIGHT)


def test_perfect_scores() -> None:
    assert value(HITS.astype(float), HITS) == pytest.approx(1)
    assert average_precisions(HITS.astype(float), HITS).tolist() == [1, 1]


def test_value_by_hand() -> None:
    scores = np.array([[0.9, 0.3, 0.5, 0.1], [0.2, 0.2, 0.8, 0.1]])
    # At 0.8 half of the first query's hits and all of the second's are found, and no false alarm: 1 - (1/2 + 0) / 2.
    assert value(scores, HITS) == pytest.approx(3 / 4)
    # Best first: hit, false alarm, hit.
    assert average_precisions(scores, HITS) == pytest.approx([(1 + 2 / 3) / 2, 1])


def test_one_false_alarm_in_many_clips_may_be_worth_it() -> None:
    hits = np.zeros((1, 101), dtype=bool)
    hits[0, 0] = True
    scores = np.linspace(0, 1, 101)[None, :].copy()
    scores[0, 0] = 0.995
    # The hit is the second best of 101: 1 - 12.49 / 100.
    assert value(scores, hits) == pytest.approx(1 - 0.1249)


def test_worthless_scores_find_nothing() -> None:
    assert value(-HITS.astype(float), HITS) == 0
    assert value(np.zeros(HITS.shape), HITS) == 0


def test_every_clip_a_hit() -> None:
    assert value(np.zeros((1, 3)), np.ones((1, 3), dtype=bool)) == pytest.approx(1)


@settings(deadline=None)
@given(arrays(np.float64, (3, 5), elements=st.floats(-1, 1, width=16)))
def test_value_is_that_of_the_best_threshold(scores: np.ndarray) -> None:
    hits = np.array([[1, 0, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 1]], dtype=bool)
    best = 0.0
    for threshold in np.unique(scores):
        said = scores >= threshold
        miss = (hits & ~said).sum(axis=1) / hits.sum(axis=1)
        alarm = (said & ~hits).sum(axis=1) / (~hits).sum(axis=1)
        best = max(best, float(1 - (miss + ALARM_WEIGHT * alarm).mean()))
    assert value(scores, hits) == pytest.approx(best)


@settings(deadline=None)
@given(arrays(np.int64, (4, 2), elements=st.integers(0, 3)))
def test_draws_repeat_queries(counts: np.ndarray) -> None:
    counts[:, 0] += 1
    scores = np.array([[0.9, 0.3, 0.5, 0.1], [0.2, 0.2, 0.8, 0.1]])
    repeated = [value(scores.repeat(count, axis=0), HITS.repeat(count, axis=0)) for count in counts]
    assert maximum_term_weighted_values(scores, HITS, counts) == pytest.approx(repeated)
