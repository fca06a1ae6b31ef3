"""Which frames are hidden."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import SettingsError
from mergekit_speech.pretraining.masking import HUBERT, Masking, mask_spans

MASKINGS = st.builds(Masking, span=st.integers(1, 20), probability=st.floats(0.01, 1.0))


def runs(row: list[bool]) -> list[int]:
    """Lengths of the stretches of hidden frames."""
    return [len(part) for part in "".join("x" if hidden else " " for hidden in row).split()]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5), st.integers(1, 200), MASKINGS, st.integers(0, 99))
def test_every_row_hides_whole_spans(rows: int, frames: int, masking: Masking, seed: int) -> None:
    masked = mask_spans(rows, frames, np.random.default_rng(seed), masking)
    span = min(masking.span, frames)
    starts = math.ceil(masking.probability * frames / span) if frames > span else 1
    assert masked.shape == (rows, frames)
    assert masked.dtype == np.bool_
    for row in masked.tolist():
        assert min(runs(row)) >= span
        assert span <= sum(row) <= max(1, starts) * span
    assert np.array_equal(masked, mask_spans(rows, frames, np.random.default_rng(seed), masking))


def test_hubert_hides_about_half() -> None:
    masked = mask_spans(200, 500, np.random.default_rng(0), HUBERT)
    assert (HUBERT.span, HUBERT.probability) == (10, 0.8)
    # Each start of 8 % hides ten frames: 1 - (1 - 0.08)^10 where no border is near.
    assert masked[:, 50:-50].mean() == pytest.approx(1 - 0.92**10, abs=0.02)


def test_every_place_may_be_hidden() -> None:
    masked = mask_spans(2000, 30, np.random.default_rng(0), Masking(span=10, probability=0.4))
    assert masked.mean(axis=0).min() > 0.02


@pytest.mark.parametrize("span", [0, -3])
def test_span_below_a_frame(span: int) -> None:
    with pytest.raises(SettingsError) as caught:
        Masking(span=span)
    assert str(caught.value) == f"a masked span needs at least 1 frame, got {span}"


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.01, math.nan])
def test_probability_out_of_range(probability: float) -> None:
    with pytest.raises(SettingsError) as caught:
        Masking(probability=probability)
    assert str(caught.value) == f"the mask probability is a fraction in (0, 1], got {probability!r}"
