"""The learning rate's shape, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.training.rates import CONSTANT, Trapezoid


def test_trapezoid_by_hand() -> None:
    shape = Trapezoid(warmup=0.2, hold=0.5)
    assert [shape(step, 10) for step in range(10)] == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_decay_may_follow_the_warm_up_at_once() -> None:
    shape = Trapezoid(warmup=0.5, hold=0.5)
    assert [shape(step, 4) for step in range(4)] == pytest.approx([0.5, 1, 1, 0.5])


def test_constant_never_changes() -> None:
    assert {CONSTANT(step, 7) for step in range(7)} == {1.0}


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 500))
def test_rate_rises_then_falls_and_stays_a_fraction(one: float, other: float, steps: int) -> None:
    shape = Trapezoid(*sorted((one, other)))
    factors = [shape(step, steps) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)
