"""DeCoAR 2.0: what it hears, its directories, and training and merging it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mergekit_speech import merge
from mergekit_speech.encoders.decoar2_bands import decoar2_bands, decoar2_frames, log_mel_bands
from mergekit_speech.encoders.pretrained import load_encoder, save_encoder
from mergekit_speech.errors import CheckpointError
from tests.speech.corpus import noise

LENGTHS = (16_000, 9_123, 400)


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.from_numpy(noise(length / 16_000, seed=length)) for length in lengths]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


def test_bands_of_each_clip_have_zero_mean_and_unit_variance_before_every_second_is_dropped() -> None:
    waveforms, lengths = batch(16_000, 9_123)
    bands = log_mel_bands(waveforms[1:, : int(lengths[1])])[0]
    expected = ((bands - bands.mean(dim=0)) / bands.std(dim=0))[::2]
    heard = decoar2_bands(waveforms, lengths)[1]
    assert torch.allclose(heard[: len(expected)], expected, atol=1e-5)
    assert not heard[len(expected) :].any()


def test_a_tone_sounds_in_its_band() -> None:
    tone = torch.sin(2 * torch.pi * 1_000 * torch.arange(1_600) / 16_000)[None]
    # Mel of 1 kHz is 1000 of 31.75 … 2840, of which 80 bands have 81 equal steps.
    assert set(log_mel_bands(tone).argmax(dim=2).flatten().tolist()) == {27}


def test_a_clip_of_one_window_stays_finite() -> None:
    assert decoar2_frames(torch.tensor([400, 559, 560, 720])).tolist() == [1, 1, 1, 2]
    assert decoar2_bands(*batch(400)).isfinite().all()


def test_padding_changes_nothing(tiny_decoar2: Path) -> None:
    encoder = load_encoder(tiny_decoar2).eval()
    with torch.no_grad():
        together = encoder(*batch(*LENGTHS))
        assert (encoder.dim, encoder.depth, encoder.stride) == (32, 3, 320)
        assert together.lengths.tolist() == [49, 28, 1]
        for row, length in enumerate(LENGTHS):
            alone = encoder(*batch(length)).states
            for padded, single in zip(together.states, alone, strict=True):
                assert torch.allclose(padded[row, : single.shape[1]], single[0], atol=1e-5)


def test_nothing_is_frozen_and_all_learns(tiny_decoar2: Path) -> None:
    encoder = load_encoder(tiny_decoar2)
    encoder.freeze()
    encoder(*batch(16_000)).last.square().sum().backward()
    # A constant added to all keys changes no attention.
    still = {name for name, one in encoder.model.named_parameters() if one.grad is None or not one.grad.any()}
    assert {name for name in still if not name.endswith("k_proj.bias")} == set()
    assert all(parameter.requires_grad for parameter in encoder.model.parameters())


def test_bfloat16_on_a_cpu_trains(tiny_decoar2: Path) -> None:
    encoder = load_encoder(tiny_decoar2).eval()
    with torch.no_grad():
        exact = encoder(*batch(*LENGTHS)).last
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = encoder(*batch(*LENGTHS)).last.float()
    assert float((rounded - exact).norm() / exact.norm()) < 0.02


def test_directory_is_written_and_read_bit_for_bit(tiny_decoar2: Path, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_decoar2)
    (tmp_path / "like").mkdir()
    (tmp_path / "new").mkdir()
    save_encoder(encoder, tmp_path / "like", like=tiny_decoar2)
    save_encoder(encoder, tmp_path / "new")
    assert (tmp_path / "like" / "config.json").read_bytes() == (tiny_decoar2 / "config.json").read_bytes()
    assert json.loads((tmp_path / "new" / "config.json").read_text())["model_type"] == "decoar2"
    for folder in (tmp_path / "like", tmp_path / "new"):
        again = load_encoder(folder).model.state_dict()
        assert all(torch.equal(tensor, again[name]) for name, tensor in encoder.model.state_dict().items())


def test_older_spelling_of_weight_norm_is_read(tiny_decoar2: Path, tmp_path: Path) -> None:
    stored = load_file(tiny_decoar2 / "model.safetensors")
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in older.items():
        name = f"encoder.pos_conv_embed.conv.{new}"
        stored[name.replace(new, old)] = stored.pop(name)
    save_file(stored, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((tiny_decoar2 / "config.json").read_bytes())
    expected = load_encoder(tiny_decoar2).model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in load_encoder(tmp_path).model.state_dict().items())


def test_missing_parameters_are_an_error(tiny_decoar2: Path, tmp_path: Path) -> None:
    stored = load_file(tiny_decoar2 / "model.safetensors")
    del stored["feature_projection.projection.bias"]
    save_file(stored, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_bytes((tiny_decoar2 / "config.json").read_bytes())
    with pytest.raises(CheckpointError, match=r"DeCoAR 2\.0 encoder .*'feature_projection\.projection\.bias'"):
        load_encoder(tmp_path)


def test_merges(tiny_decoar2: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    encoder = load_encoder(tiny_decoar2)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    save_encoder(encoder, tuned, like=tiny_decoar2)
    merge(base=tiny_decoar2, tuned=[tuned], scale=0.25, output=tmp_path / "out")
    states = (load_encoder(folder).model.state_dict() for folder in (tiny_decoar2, tuned, tmp_path / "out"))
    base, other, merged = states
    for name, tensor in merged.items():
        assert torch.allclose(tensor, base[name] + 0.25 * (other[name] - base[name]), atol=1e-6)
