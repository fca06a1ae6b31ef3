"""The head-only phase and the learning rate, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.schedule import stable_rate, thaw_step


@pytest.mark.parametrize(("steps", "head_only", "thaw"), [(100, 0.1, 10), (30, 0.1, 3), (25, 0.1, 3), (50, 0.0, 0)])
def test_the_encoder_thaws_after_the_head_only_fraction(steps: int, head_only: float, thaw: int) -> None:
    assert thaw_step(steps, head_only) == thaw


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 0.1), (4, 0.5), (8, 0.9), (9, 1.0), (10, 1.0), (49, 1.0), (50, 1.0), (75, 0.5), (99, 0.02)]
)
def test_the_rate_rises_holds_and_falls_as_published(step: int, factor: float) -> None:
    assert stable_rate(0.1)(step, 100) == pytest.approx(factor)


@given(st.integers(20, 5000), st.sampled_from([0.05, 0.1, 0.3]))
def test_the_encoder_thaws_at_the_peak(steps: int, head_only: float) -> None:
    thaw = thaw_step(steps, head_only)
    rate = stable_rate(head_only)
    assert rate(thaw, steps) == 1.0
    assert all(rate(step, steps) < 1.0 for step in range(thaw - 1))


@given(st.integers(1, 2000), st.sampled_from([0.0, 0.1, 0.6]))
def test_the_rate_never_leaves_its_range(steps: int, head_only: float) -> None:
    assert all(0.0 < stable_rate(head_only)(step, steps) <= 1.0 for step in range(steps))


def test_without_a_head_only_phase_the_rate_still_rises() -> None:
    assert stable_rate(0.0)(0, 100) == pytest.approx(0.1)


@pytest.mark.parametrize("head_only", [-0.1, 1.0, 2.0])
def test_a_fraction_out_of_range_is_refused(head_only: float) -> None:
    with pytest.raises(SettingsError, match=r"head_only is a fraction of the steps in \[0, 1\), got"):
        thaw_step(100, head_only)


def test_a_run_without_a_step_for_the_encoder_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"1 steps with head_only = 0.1 leave the encoder none"):
        thaw_step(1, 0.1)
