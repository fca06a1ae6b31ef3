"""Filterbanks behind the encoder interface."""

from __future__ import annotations

import pytest
import torch

from mergekit_speech.encoders.encoder import Encoder, frame_mask
from mergekit_speech.encoders.filterbank import Filterbank, LogMel
from mergekit_speech.encoders.spectra import log_mel
from tests.speech.corpus import noise


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.from_numpy(noise(length / 16_000, seed=length)) for length in lengths]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor(lengths)


def test_frame_mask_is_true_where_a_row_holds_audio() -> None:
    assert frame_mask(torch.tensor([3, 1, 0]), 3).tolist() == [[True] * 3, [True, False, False], [False] * 3]


@pytest.mark.parametrize(("encoder", "dim"), [(Filterbank(), 240), (LogMel(), 80)])
def test_one_state_every_ten_milliseconds(encoder: Encoder, dim: int) -> None:
    frames = encoder(*batch(16_000, 8_000, 400))
    assert (encoder.dim, encoder.depth, encoder.stride) == (dim, 1, 160)
    assert len(frames.states) == encoder.depth
    assert frames.last.shape == (3, 100, dim)
    assert frames.lengths.tolist() == [100, 50, 3]
    assert list(encoder.parameters()) == []


def test_filterbank_is_normalised_over_the_audio_of_each_clip() -> None:
    frames = Filterbank()(*batch(16_000, 9_600))
    for state, length in zip(frames.last, frames.lengths.tolist(), strict=True):
        heard = state[:length]
        assert torch.allclose(heard.mean(dim=0), torch.tensor(0.0), atol=1e-4)
        assert torch.allclose(heard.std(dim=0, correction=0), torch.tensor(1.0), atol=1e-2)
        assert not state[length:].any()


def test_filterbank_forgets_loudness_but_log_mel_keeps_it() -> None:
    waveforms, lengths = batch(8_000)
    for encoder, kept in ((Filterbank(), False), (LogMel(), True)):
        same = torch.allclose(encoder(waveforms, lengths).last, encoder(4 * waveforms, lengths).last, atol=1e-3)
        assert same is not kept


def test_log_mel_is_scaled_by_constants() -> None:
    waveforms, lengths = batch(8_000)
    assert torch.allclose(LogMel()(waveforms, lengths).last * 4 - 8, log_mel(waveforms), atol=1e-4)


def test_silence_stays_finite() -> None:
    assert Filterbank()(torch.zeros(1, 400), torch.tensor([400])).last.isfinite().all()
