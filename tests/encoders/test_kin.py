"""Encoders that are known through transformers alone: data2vec, UniSpeech-SAT, Wav2Vec2-BERT, Whisper."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModel

from mergekit_speech import merge
from mergekit_speech.encoders.pretrained import load_encoder, save_encoder
from mergekit_speech.errors import CheckpointError
from tests.encoders.test_decoar2 import batch

LENGTHS = (16_000, 9_123)


def reference(folder: Path, *clips: torch.Tensor) -> Any:
    """What transformers itself makes of clips in one batch."""
    extractor, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    padding = {} if "whisper" in folder.name else {"padding": True, "return_attention_mask": True}
    inputs = extractor([clip.numpy() for clip in clips], sampling_rate=16_000, return_tensors="pt", **padding)
    with torch.no_grad():
        return getattr(model, "encoder" if "whisper" in folder.name else "forward")(**inputs, output_hidden_states=True)


@pytest.fixture
def complete(kin: Path, tmp_path: Path) -> Path:
    """The encoder's directory with the feature extractor's configuration, which the toolkit writes."""
    folder = tmp_path / kin.name
    folder.mkdir()
    save_encoder(load_encoder(kin), folder)
    return folder


def test_states_are_those_of_transformers(complete: Path) -> None:
    encoder = load_encoder(complete, conventions="transformers").eval()
    with torch.no_grad():
        frames = encoder(*batch(16_000))
    expected = reference(complete, batch(16_000)[0][0])
    assert (encoder.dim, encoder.depth, encoder.stride, len(frames.states)) == (32, 3, 320, 3)
    assert abs(int(frames.lengths[0]) - 50) <= 1
    for ours, theirs in zip(frames.states, (*expected.hidden_states[:-1], expected.last_hidden_state), strict=True):
        assert torch.allclose(ours, theirs[:, : ours.shape[1]], atol=1e-5)


def test_rows_of_a_padded_batch_are_those_of_transformers(complete: Path) -> None:
    waveforms, lengths = batch(*LENGTHS)
    encoder = load_encoder(complete, conventions="transformers").eval()
    with torch.no_grad():
        frames = encoder(waveforms, lengths)
    expected = reference(complete, *(row[:length] for row, length in zip(waveforms, LENGTHS, strict=True)))
    for ours, theirs in zip(frames.states, (*expected.hidden_states[:-1], expected.last_hidden_state), strict=True):
        for row, count in enumerate(frames.lengths.tolist()):
            assert float((ours[row, :count] - theirs[row, :count]).abs().max()) <= 1e-5


def test_frames_are_counted_as_they_come(kin: Path) -> None:
    encoder = load_encoder(kin).eval()
    with torch.no_grad():
        frames = encoder(*batch(*LENGTHS))
    assert frames.lengths.tolist() == encoder.frames(torch.tensor(LENGTHS)).tolist()
    assert all(state.shape == (2, int(frames.lengths.max()), 32) for state in frames.states)
    assert frames.last.isfinite().all()


def test_all_but_the_frozen_learns(kin: Path) -> None:
    encoder = load_encoder(kin)
    encoder.freeze()
    encoder(*batch(16_000)).last.square().sum().backward()
    still = {name for name, one in encoder.model.named_parameters() if one.grad is None or not one.grad.any()}
    trained = {name for name, one in encoder.model.named_parameters() if one.requires_grad}
    assert {name for name in trained & still if "k_proj.bias" not in name and "linear_k.bias" not in name} <= {
        "masked_spec_embed"
    }
    assert {name for name in still if name.startswith(encoder.family.frozen)} == {
        name for name, _ in encoder.model.named_parameters()
    } - trained


def test_merges_and_loads_in_transformers(kin: Path, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    encoder = load_encoder(kin)
    encoder.freeze()
    with torch.no_grad():
        for parameter in (each for each in encoder.model.parameters() if each.requires_grad):
            parameter.add_(0.01 * torch.randn_like(parameter))
    save_encoder(encoder, tmp_path / "tuned", like=kin)
    merge(base=kin, tuned=[tmp_path / "tuned"], scale=0.5, output=tmp_path / "out")
    base, tuned, merged = (AutoModel.from_pretrained(path) for path in (kin, tmp_path / "tuned", tmp_path / "out"))
    for name, tensor in merged.state_dict().items():
        expected = (base.state_dict()[name] + tuned.state_dict()[name]) / 2
        assert torch.allclose(tensor, expected, atol=1e-6), name


@pytest.mark.parametrize("kin", ["whisper"], indirect=True)
def test_whisper_hears_long_clips_window_by_window(kin: Path) -> None:
    encoder = load_encoder(kin).eval()
    waveforms, lengths = batch(31 * 16_000, 16_000)
    with torch.no_grad():
        whole, second = encoder(waveforms, lengths), encoder(waveforms[:1, 30 * 16_000 :], torch.tensor([16_000]))
    assert whole.lengths.tolist() == [1550, 50]
    assert whole.last.shape == (2, 1550, 32)
    assert torch.allclose(whole.last[0, 1500:], second.last[0], atol=1e-5)


@pytest.mark.parametrize("kin", ["whisper", "wav2vec2-bert"], indirect=True)
def test_damaged_preprocessor_is_refused(kin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(kin, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": "80", "num_mel_bins": "80"}))
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json: transformers refuses it \(.*copy or "):
        load_encoder(folder)
