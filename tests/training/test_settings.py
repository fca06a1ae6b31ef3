"""Numbers of a run that make no sense, and which figure is better."""

from __future__ import annotations

import math

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.training.settings import Goal, LoopSettings


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 0, "at least 1"),
        ("accumulate", 0, "at least 1"),
        ("evaluate_every", -1, "at least 1"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", math.nan, "above 0"),
        ("clip_norm", -1.0, "above 0"),
        ("candidates_from", 0, "between 1 and 5"),
        ("candidates_from", 6, "between 1 and 5"),
    ],
)
def test_number_out_of_range(name: str, value: float, wanted: str) -> None:
    with pytest.raises(SettingsError) as caught:
        LoopSettings(**{"steps": 5, "learning_rate": 1e-3, name: value})  # type: ignore[arg-type]
    assert str(caught.value) == f"{name} must be {wanted}, got {value!r}"


@pytest.mark.parametrize(
    ("lower_is_better", "value", "than", "better"),
    [
        (True, 1.0, 2.0, True),
        (True, 2.0, 2.0, False),
        (False, 3.0, 2.0, True),
        (False, 1.0, 2.0, False),
        (False, 0.0, None, True),
        (True, 9.0, math.nan, True),
        (True, math.nan, 9.0, False),
    ],
)
def test_goal_prefers_the_earlier_of_two_equals(
    lower_is_better: bool, value: float, than: float | None, better: bool
) -> None:
    assert Goal("per", lower_is_better).better(value, than) is better
