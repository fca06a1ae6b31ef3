"""Error rates of trials, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mergekit_speech.tasks.parts.detection import detection_errors, drawn_detection_errors


def test_perfect_scores() -> None:
    assert detection_errors(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])) == (0.0, 0.0)


def test_errors_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    targets = np.array([1, 1, 0, 1, 0, 1, 0, 0])
    # With the threshold between 0.5 and 0.6 one of four targets is missed and one of four others passes.
    equal, cost = detection_errors(scores, targets)
    assert equal == pytest.approx(1 / 4)
    # No false alarm may pass at a prior of 0.01: the two best targets are found, half is missed.
    assert cost == pytest.approx(1 / 2)


def test_equal_rate_lies_between_the_points_of_the_roc() -> None:
    # Points (false alarms, misses): (0, 1), (1/2, 1/3), (1/2, 0), (1, 0): the line x = y crosses where 1 - 4x/3 = x.
    scores, targets = np.array([3.0, 3.0, 3.0, 2.0, 1.0]), np.array([1, 1, 0, 1, 0])
    assert detection_errors(scores, targets)[0] == pytest.approx(3 / 7)


def test_cost_never_exceeds_that_of_refusing_everybody() -> None:
    assert detection_errors(np.array([0.9, 0.1]), np.array([0, 1]))[1] == pytest.approx(1)


@pytest.mark.parametrize("targets", [[1, 1], [0, 0]])
def test_one_kind_of_trial_has_no_error_rate(targets: list[int]) -> None:
    equal, cost = detection_errors(np.array([0.1, 0.2]), np.array(targets))
    assert math.isnan(equal)
    assert math.isnan(cost)


@settings(deadline=None)
@given(arrays(np.float64, 12, elements=st.floats(-1, 1, width=16)), st.permutations([0] * 7 + [1] * 5))
def test_rates_are_fractions_and_know_ranks_alone(scores: np.ndarray, targets: list[int]) -> None:
    truth = np.array(targets)
    equal, cost = detection_errors(scores, truth)
    assert 0 <= equal <= 1
    assert 0 <= cost <= 1
    _, ranks = np.unique(scores, return_inverse=True)
    assert detection_errors(ranks.astype(np.float64), truth) == (equal, cost)
    order = np.random.default_rng(0).permutation(12)
    assert detection_errors(scores[order], truth[order]) == (equal, cost)


@settings(deadline=None)
@given(
    arrays(np.float64, 9, elements=st.floats(-1, 1, width=16)),
    st.permutations([0] * 5 + [1] * 4),
    arrays(np.int64, (5, 9), elements=st.integers(0, 3)),
)
def test_draws_repeat_trials(scores: np.ndarray, targets: list[int], counts: np.ndarray) -> None:
    truth = np.array(targets)
    counts[:, 0] += 1
    expected = [detection_errors(scores.repeat(count), truth.repeat(count)) for count in counts]
    drawn = drawn_detection_errors(scores, truth, counts)
    assert pytest.approx(np.array(expected), nan_ok=True) == np.array(drawn).T
