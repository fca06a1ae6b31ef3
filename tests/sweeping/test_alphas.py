"""The α of a sweep as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.errors import SettingsError
from mergekit_speech.sweeping.alphas import read_alphas


@pytest.mark.parametrize(
    ("text", "alphas"),
    [
        ("0:1:0.25", (0, 0.25, 0.5, 0.75, 1)),
        ("0:0.3:0.1", (0, 0.1, 0.2, 0.3)),
        ("1:0:-0.5", (1, 0.5, 0)),
        ("0.5", (0.5,)),
        (" 0.25, 0.1 ,", (0.25, 0.1)),
        ("0:1:0.5,0.5,2", (0, 0.5, 1, 2)),
        ("0.3:0.3:1", (0.3,)),
    ],
)
def test_ranges_and_lists(text: str, alphas: tuple[float, ...]) -> None:
    assert read_alphas(text) == alphas


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 50))
def test_ranges_hold_their_ends_and_nothing_beyond(start: int, count: int, step: int) -> None:
    text = f"{start / 100}:{(start + count * step) / 100}:{step / 100}"
    assert read_alphas(text) == tuple(float(Decimal(start + step * each) / 100) for each in range(count + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected alphas such as 0:1:0.25 or 0,0.25,1, came '': give at least one"),
        ("0,half", "expected alphas such as 0:1:0.25 or 0,0.25,1, came 'half' in '0,half'"),
        ("0:1", "expected alphas as numbers or START:STOP:STEP, came '0:1' in '0:1'"),
        ("nan", "expected alphas as numbers or START:STOP:STEP, came 'nan' in 'nan'"),
        ("0:1:0", "expected START:STOP:STEP with a step that leads from one to the other in less than 1000, came"),
        ("0:1:-1", "expected START:STOP:STEP with a step that leads from one to the other in less than 1000, came"),
        ("0:1:1e-9", "expected START:STOP:STEP with a step that leads from one to the other in less than 1000, came"),
    ],
)
def test_what_is_no_alpha_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_alphas(text)
