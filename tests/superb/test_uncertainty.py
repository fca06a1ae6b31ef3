"""Variances, intervals, and verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from mergekit_speech.superb.resampling import resample
from mergekit_speech.superb.uncertainty import Uncertainty, add_up, adjust, judge, measure
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows


class Mean:
    name = "mean"

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        return {"mean": counts @ rows["value"] / counts.sum(axis=1)}


def test_interval_and_p_are_those_of_the_t_test_where_only_items_vary() -> None:
    values = np.random.default_rng(0).normal(0.2, 1, 30)
    found = resample(Mean(), {"a": [{"value": values}]}, draws=20_000, seed=0)
    assert found is not None
    known = measure(np.array([values.mean()]), found.figures["a"]["mean"], found.seed_weights, found.units)
    assert known is not None
    test = ttest_1samp(values, 0)
    assert known.freedom == pytest.approx(29)
    assert known.interval(values.mean()) == pytest.approx(tuple(test.confidence_interval()), abs=0.02)
    assert known.p_value(values.mean()) == pytest.approx(test.pvalue, abs=0.02)


def test_interval_is_as_wide_as_few_seeds_ask_where_only_seeds_vary() -> None:
    values = np.array([0.1, 0.3, 0.2])
    found = resample(Mean(), {"a": [{"value": np.full(500, value)} for value in values]}, draws=20_000, seed=0)
    assert found is not None
    known = measure(values, found.figures["a"]["mean"], found.seed_weights, found.units)
    assert known is not None
    assert known.freedom == pytest.approx(2)
    assert known.interval(0.2) == pytest.approx(tuple(ttest_1samp(values, 0).confidence_interval()), rel=0.02)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(seeds: int) -> None:
    rng, held, trials = np.random.default_rng(seeds), 0, 150
    for trial in range(trials):
        items = rng.normal(0, 0.3, 80) + rng.normal(0, 0.03, (seeds, 1)) * (seeds > 1) + rng.normal(0, 0.2, (seeds, 80))
        found = resample(Mean(), {"a": [{"value": own} for own in items]}, draws=200, seed=trial)
        assert found is not None
        known = measure(items.mean(axis=1), found.figures["a"]["mean"], found.seed_weights, found.units)
        assert known is not None
        low, high = known.interval(items.mean())
        held += low <= 0 <= high
    # A binomial's two standard deviations below 95 %; few seeds make intervals wide rather than narrow.
    assert held / trials > 0.91


def test_what_never_varies_has_no_uncertainty() -> None:
    same, weights = np.full((50, 2), 0.1 + 0.2), np.full((50, 2), 0.5)
    assert measure(np.array([0.3, 0.3]), same, weights, 9) is None
    assert measure(np.array([0.0, 0.0]), 0 * same, weights, 9) is None


def test_draws_without_a_figure_are_left_out_unless_they_are_most() -> None:
    draws = np.random.default_rng(0).normal(size=(100, 1))
    weights = np.ones((100, 1))
    whole = measure(np.array([0.0]), draws[40:], weights[40:], 9)
    draws[:40] = np.nan
    assert measure(np.array([0.0]), draws, weights, 9) == whole
    draws[:60] = np.nan
    assert measure(np.array([0.0]), draws, weights, 9) is None


def test_sum_of_independent_figures() -> None:
    one, two = Uncertainty(4.0, ((4.0, 10.0),)), Uncertainty(9.0, ((5.0, 2.0), (4.0, 50.0)))
    known = add_up([(0.5, one), (0.5, two)])
    assert known is not None
    assert known.variance == pytest.approx(13 / 4)
    assert known.freedom == pytest.approx(13**2 / (16 / 10 + 25 / 2 + 16 / 50))
    assert add_up([(0.5, one), (0.5, None)]) is None
    assert add_up([]) is None


def test_holm_by_hand() -> None:
    # Sorted: 0.01 × 4, 0.015 × 3 = 0.045, 0.03 × 2 = 0.06, 0.2 × 1; each at least the one before.
    assert adjust([0.03, 0.01, 0.2, 0.015]) == pytest.approx([0.06, 0.04, 0.2, 0.045])
    assert adjust([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    assert adjust([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_correction_keeps_the_order_and_is_never_kinder(p_values: list[float]) -> None:
    adjusted = adjust(p_values)
    assert all(p <= corrected <= 1 for p, corrected in zip(p_values, adjusted, strict=True))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert [corrected for _, corrected in pairs] == sorted(adjusted)


@pytest.mark.parametrize(
    ("gain", "p", "verdict"),
    [(0.1, 0.04, "better"), (-0.1, 0.04, "worse"), (0.1, 0.05, "no difference seen"), (-9, 1, "no difference seen")],
)
def test_verdicts(gain: float, p: float, verdict: str) -> None:
    assert judge(gain, p) == verdict
