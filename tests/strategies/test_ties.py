"""TIES, by hand, in every meaning that its settings can give it."""

from __future__ import annotations

import numpy as np
import pytest

from mergekit_speech.merging.memory import merge_state_dicts
from tests.strategies.arrays import merge_lists

ZERO = [0.0] * 5
ONE = [5.0, -4.0, 3.0, 0.2, 0.1]
TWO = [1.0, 6.0, -0.5, -2.0, 0.3]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        # Nothing trimmed. Votes 6, 2, 2.5, −1.8, 0.4; agreeing: both, two, one, two, both.
        ({}, [3.0, 6.0, 3.0, -2.0, 0.2]),
        ({"normalize": False}, [6.0, 6.0, 3.0, -2.0, 0.4]),
        # Two of five are kept: 5, −4 of one and 6, −2 of two.
        ({"density": 0.4}, [5.0, 6.0, 0.0, -2.0, 0.0]),
        ({"density": 0.4, "lambda": 0.5}, [2.5, 3.0, 0.0, -1.0, 0.0]),
        # Own densities: 5, −4, 3 of one, 6 of two.
        ({"density": [0.6, 0.2]}, [5.0, 6.0, 3.0, 0.0, 0.0]),
        # Weights go before the vote: votes 2·5, 2·(−4) + 6 < 0, so that one's −4 wins.
        ({"density": 0.4, "weight": [2.0, 1.0]}, [5.0, -4.0, 0.0, -2.0, 0.0]),
        ({"density": 0.4, "weight": [2.0, 1.0], "normalize": False}, [10.0, -8.0, 0.0, -2.0, 0.0]),
        ({"density": 0.0}, ZERO),
        # So small a density keeps one element all the same.
        ({"density": 0.01}, [5.0, 6.0, 0.0, 0.0, 0.0]),
    ],
)
def test_by_hand(params: dict[str, object], expected: list[float]) -> None:
    np.testing.assert_allclose(merge_lists("ties", ZERO, ONE, TWO, **params), expected, rtol=1e-6)


def test_vote_of_zero_counts_as_plus() -> None:
    assert merge_lists("ties", [1.0], [3.0], [-1.0]) == [3.0]


def test_elements_at_the_threshold_are_all_kept() -> None:
    assert merge_lists("ties", [0.0] * 4, [2.0, -2.0, 2.0, 1.0], density=0.25) == [2.0, -2.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("trim", "small", "large"),
    [
        # Each tensor keeps the larger one of its two elements.
        ("tensor", [2.0, 0.0], [9.0, 0.0]),
        # The whole model keeps the two largest of four.
        ("model", [0.0, 0.0], [9.0, -8.0]),
    ],
)
def test_trimming_per_tensor_and_over_the_model(trim: str, small: list[float], large: list[float]) -> None:
    base = {"small": np.zeros(2, np.float32), "large": np.zeros(2, np.float32)}
    tuned = {"small": np.array([2.0, 1.0], np.float32), "large": np.array([9.0, -8.0], np.float32)}
    merged = merge_state_dicts(base, tuned, strategy="ties", density=0.5, trim=trim)
    assert (merged["small"].tolist(), merged["large"].tolist()) == (small, large)


def test_the_papers_rule_on_random_values() -> None:
    """Algorithm 1 of the paper on sorted values, written out for whole models and unit weights."""
    rng = np.random.default_rng(0)
    base = {"a": rng.standard_normal(30), "b": rng.standard_normal(70)}
    tuned = [{name: values + rng.standard_normal(values.shape) for name, values in base.items()} for _ in range(3)]
    states = [{name: values.astype(np.float32) for name, values in each.items()} for each in (base, *tuned)]
    flat = np.array([np.concatenate([state["a"], state["b"]]) for state in states])
    deltas = flat[1:] - flat[0]
    for delta in deltas:
        delta[np.abs(delta) < np.sort(np.abs(delta))[-20]] = 0
    signs = np.where(deltas.sum(0) >= 0, 1, -1)
    agreeing = np.sign(deltas) == signs
    mean = (deltas * agreeing).sum(0) / np.maximum(agreeing.sum(0), 1)
    merged = merge_state_dicts(states[0], states[1:], strategy="ties", density=0.2, trim="model", scale=0.8)
    ours = np.concatenate([merged["a"], merged["b"]])
    np.testing.assert_allclose(ours, flat[0] + 0.8 * mean, rtol=1e-5, atol=1e-6)
