"""sox's effects, held against what its manual says, sample by sample."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import SettingsError
from mergekit_speech.superb.s3prl_engine.effects import TRIM, Samples, apply_effects, trim_silence
from tests.speech.corpus import noise, tone

RATE = 1000
"""So that a window is 20 samples and 0.1 s are 100."""


def trim_slowly(samples: Samples) -> Samples:
    """As sox does it, one sample after the other: look for sound, copy it, and drop what is quiet for too long."""
    kept, held, window, copying = list[float](), list[float](), deque([0.0] * 20, maxlen=20), False
    for sample in samples.tolist():
        window.append(sample * sample)
        loud = (sum(window) / 20) ** 0.5 > 0.001
        held = [*held, sample] if copying or loud else []
        if copying and loud:
            kept, held = [*kept, *held], []
        elif len(held) == 100:
            kept, window = (kept, deque([0.0] * 20, maxlen=20)) if copying else ([*kept, *held], window)
            held, copying = [], not copying
    return np.array([*kept, *(held if copying else [])], dtype=np.float32)


def stretch(kind: tuple[bool, int]) -> Samples:
    loud, length = kind
    return np.full(length, 0.5 if loud else 0.0, dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 260)), min_size=1, max_size=8))
def test_silence_goes_as_sox_lets_it_go(kinds: list[tuple[bool, int]]) -> None:
    samples = np.concatenate([stretch(kind) for kind in kinds])
    np.testing.assert_array_equal(trim_silence(samples, RATE), trim_slowly(samples))


def test_sound_stays_and_silence_goes() -> None:
    speech = noise(0.5)
    silence = np.zeros(16_000, dtype=np.float32)
    trimmed = trim_silence(np.concatenate([silence, speech, silence, speech, silence]), 16_000)
    assert 2 * len(speech) <= len(trimmed) <= 2 * len(speech) + 2 * 320
    assert len(trim_silence(silence, 16_000)) == 0


def test_gain_in_decibels() -> None:
    sound = torch.from_numpy(tone(0.1))[None]
    louder, rate = apply_effects(sound, 16_000, [["channels", "1"], ["rate", "16000"], ["gain", "-6.0206"]])
    assert rate == 16_000
    torch.testing.assert_close(louder, sound / 2, atol=1e-5, rtol=0)
    assert float(apply_effects(sound, 16_000, [["gain", "20"]])[0].max()) == 1


def test_channels_are_averaged_and_silence_cut_out() -> None:
    both = torch.stack([torch.zeros(32_000), torch.from_numpy(tone(2.0))])
    assert apply_effects(both, 16_000, [["channels", "1"], TRIM])[0].shape[0] == 1


@pytest.mark.parametrize("effect", [["reverb", "50"], ["rate", "8000"]])
def test_other_effects(effect: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        apply_effects(torch.zeros(1, 16), 16_000, [effect])
    assert str(caught.value) == f"expected an effect of SUPERB's protocol, came {' '.join(effect)!r} at 16000 Hz"
