"""Classical features against facts worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mergekit_speech.encoders.spectra import log_mel, mfcc_with_deltas, with_deltas
from tests.speech.corpus import noise, tone

FLOOR = math.log(torch.finfo(torch.float32).eps)


def wave(*rows: object) -> torch.Tensor:
    return torch.stack([torch.as_tensor(row) for row in rows])


@pytest.mark.parametrize(("samples", "frames"), [(16_000, 100), (400, 3), (15_919, 99), (15_920, 100)])
def test_a_frame_every_ten_milliseconds(samples: int, frames: int) -> None:
    assert log_mel(torch.zeros(2, samples)).shape == (2, frames, 80)
    assert mfcc_with_deltas(torch.zeros(2, samples)).shape == (2, frames, 39)


def test_number_of_bands() -> None:
    assert log_mel(torch.zeros(1, 1600), bins=40).shape == (1, 10, 40)


def test_silence_is_the_floor() -> None:
    assert torch.allclose(log_mel(torch.zeros(1, 1600)), torch.tensor(FLOOR))


def test_tenfold_amplitude_adds_the_logarithm_of_a_hundred() -> None:
    quiet, loud = log_mel(wave(0.1 * noise(0.5), noise(0.5)))
    assert torch.allclose(loud - quiet, torch.tensor(math.log(100)), atol=1e-3)


def test_higher_tone_lies_in_a_higher_band() -> None:
    low, middle, high = log_mel(wave(tone(0.5, 300), tone(0.5, 1000), tone(0.5, 4000)))[:, 25].argmax(dim=1).tolist()
    assert low < middle < high
    # Mel scale: 80 bands of equal width from 20 Hz to 8 kHz.
    mel = [1127 * math.log(1 + hertz / 700) for hertz in (20, 1000, 8000)]
    assert middle == pytest.approx(81 * (mel[1] - mel[0]) / (mel[2] - mel[0]) - 1, abs=1)


def test_rows_do_not_touch_each_other() -> None:
    both = mfcc_with_deltas(wave(noise(0.3, 1), noise(0.3, 2)))
    assert torch.allclose(both[:1], mfcc_with_deltas(wave(noise(0.3, 1))), atol=1e-4)


def test_derivative_of_a_ramp_is_its_slope() -> None:
    ramp = torch.arange(20.0)[None, :, None] * torch.tensor([3.0, -0.5])
    features = with_deltas(ramp)
    assert features.shape == (1, 20, 6)
    assert torch.equal(features[..., :2], ramp)
    slope, bend = features[0, :, 2:4], features[0, :, 4:]
    assert torch.allclose(slope[2:-2], torch.tensor([3.0, -0.5]))
    assert torch.allclose(bend[4:-4], torch.tensor(0.0), atol=1e-6)


def test_edges_repeat_the_end_frames() -> None:
    first = with_deltas(torch.arange(20.0)[None, :, None], order=1)[0, 0, 1]
    # (-2·0 - 1·0 + 0·0 + 1·1 + 2·2) / (4 + 1 + 0 + 1 + 4)
    assert float(first) == pytest.approx(0.5)


def test_constant_has_no_derivative() -> None:
    assert torch.allclose(with_deltas(torch.ones(1, 3, 4))[..., 4:], torch.tensor(0.0), atol=1e-6)


def test_features_are_made_where_the_waveforms_are() -> None:
    waveforms = torch.zeros(1, 1600, device="meta")
    assert log_mel(waveforms).device.type == "meta"
    assert mfcc_with_deltas(waveforms).device.type == "meta"
