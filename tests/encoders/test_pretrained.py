"""Encoders of transformers: their hidden states, padding, freezing, and what they leave on disk."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModel, HubertConfig

from mergekit_speech.encoders.family import families
from mergekit_speech.encoders.pretrained import (
    PretrainedEncoder,
    load_encoder,
    new_encoder,
    random_encoder,
    read_config,
    save_encoder,
)
from mergekit_speech.encoders.waveform_encoder import WaveformEncoder, reads_normalized
from tests.conftest import TINY
from tests.speech.corpus import noise

LENGTHS = (16_000, 9_000, 400)
NO_DROPOUT = {f"{name}_dropout": 0.0 for name in ("hidden", "attention", "activation", "feat_proj")}


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.from_numpy(noise(length / 16_000, seed=length)) for length in lengths]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor(lengths)


def states_of(encoder: PretrainedEncoder, *lengths: int) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        states: tuple[torch.Tensor, ...] = encoder(*batch(*lengths)).states
    return states


def reference(folder: Path, waveform: torch.Tensor) -> Any:
    """What transformers itself makes of one clip."""
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    values = AutoFeatureExtractor.from_pretrained(folder)(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        return model(values.input_values, output_hidden_states=True)


def check_against_transformers(folder: Path) -> None:
    encoder = load_encoder(folder, conventions="transformers").eval()
    states = states_of(encoder, 16_000)
    expected = reference(folder, batch(16_000)[0][0])
    assert len(states) == encoder.depth == TINY["num_hidden_layers"] + 1
    assert torch.allclose(states[-1], expected.last_hidden_state, atol=1e-5)
    for ours, theirs in zip(states[:-1], expected.hidden_states[:-1], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_states_are_those_of_transformers(tiny_encoder: Path) -> None:
    check_against_transformers(tiny_encoder)


def test_states_of_layer_norm_models_end_behind_the_last_norm(layer_norm_encoder: Path) -> None:
    check_against_transformers(layer_norm_encoder)


def test_shapes_and_lengths(tiny_encoder: Path) -> None:
    encoder = load_encoder(tiny_encoder)
    frames = encoder(*batch(*LENGTHS))
    assert (encoder.dim, encoder.depth, encoder.stride) == (32, 3, 320)
    assert [state.shape for state in frames.states] == [(3, 49, 32)] * 3
    assert frames.lengths.tolist() == [49, 27, 1]
    assert frames.last is frames.states[-1]


def test_padding_changes_nothing_in_layer_norm_models(layer_norm_encoder: Path) -> None:
    encoder = load_encoder(layer_norm_encoder, conventions="transformers").eval()
    together = states_of(encoder, *LENGTHS)
    for row, length in enumerate(LENGTHS):
        for padded, single in zip(together, states_of(encoder, length), strict=True):
            assert torch.allclose(padded[row, : single.shape[1]], single[0], atol=1e-4)


@pytest.mark.parametrize("trains", [True, False])
def test_nothing_is_masked_or_dropped_in_training(changed: Callable[..., Path], trains: bool) -> None:
    folder = changed(**NO_DROPOUT, layerdrop=0.9, mask_time_prob=0.9, mask_feature_prob=0.9)
    encoder = load_encoder(folder).train(trains)
    expected = states_of(encoder.eval(), 16_000)
    encoder.train(trains)
    for ours, theirs in zip(states_of(encoder, 16_000), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_dropout_acts_in_training(tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    assert encoder.training
    assert not torch.equal(states_of(encoder, 16_000)[-1], states_of(encoder, 16_000)[-1])


def test_masked_frames_hold_the_mask_embedding_and_others_their_own(changed: Callable[..., Path]) -> None:
    encoder = load_encoder(changed(**NO_DROPOUT)).train()
    waveforms, lengths = batch(16_000)
    masked = torch.zeros(1, 49, dtype=torch.bool)
    masked[0, 10:20] = True
    heard: list[torch.Tensor] = []
    model: Any = encoder.model
    model.encoder.register_forward_pre_hook(lambda module, arguments: heard.append(arguments[0].detach().clone()))
    encoder(waveforms, lengths, masked)
    encoder(waveforms, lengths)
    hidden, plain = heard
    assert torch.equal(hidden[masked], model.masked_spec_embed.expand(10, -1))
    assert torch.equal(hidden[~masked], plain[~masked])
    assert not torch.equal(hidden[masked], plain[masked])


def test_mask_does_not_outlive_its_call(tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert).eval()
    before = states_of(encoder, 16_000)
    encoder(*batch(16_000), torch.ones(1, 49, dtype=torch.bool))
    assert all(torch.equal(one, other) for one, other in zip(before, states_of(encoder, 16_000), strict=True))


@pytest.mark.parametrize("word", [True, False])
def test_preprocessor_decides_whether_waveforms_are_normalised(changed: Callable[..., Path], word: bool) -> None:
    folder = changed()
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": word}))
    encoder = load_encoder(folder).eval()
    assert isinstance(encoder, WaveformEncoder)
    waveforms, lengths = batch(16_000, 9_000)
    with torch.no_grad():
        same = torch.allclose(encoder(waveforms, lengths).last, encoder(5 * waveforms, lengths).last, atol=1e-4)
    assert (encoder.normalize, same) == (word, word)


@pytest.mark.parametrize(("norm", "normalized"), [("layer", True), ("group", False)])
def test_without_a_preprocessor_the_front_end_decides(
    changed: Callable[..., Path], norm: str, normalized: bool
) -> None:
    folder = changed(feat_extract_norm=norm)
    (folder / "preprocessor_config.json").unlink()
    assert reads_normalized(folder, read_config(folder)[0]) is normalized


def test_frozen_downsampler_gets_no_gradient(tiny_encoder: Path) -> None:
    encoder = load_encoder(tiny_encoder)
    encoder.freeze()
    encoder(*batch(16_000)).last.square().sum().backward()
    frozen = {name for name, parameter in encoder.model.named_parameters() if parameter.grad is None}
    cnn = {name for name, _ in encoder.model.named_parameters() if name.startswith("feature_extractor.")}
    assert cnn
    assert frozen - cnn <= {"masked_spec_embed"}
    assert cnn <= frozen
    moving = {name for name, parameter in encoder.model.named_parameters() if parameter.requires_grad}
    assert moving == {name for name, _ in encoder.model.named_parameters()} - cnn


def test_downsampler_learns_where_it_is_wanted(tiny_encoder: Path) -> None:
    encoder = load_encoder(tiny_encoder)
    encoder.freeze(cnn=False)
    encoder(*batch(16_000)).last.square().sum().backward()
    still = {name for name, parameter in encoder.model.named_parameters() if parameter.grad is None}
    assert still <= {"masked_spec_embed"}


def test_unfrozen_downsampler_learns(tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    encoder(*batch(16_000)).last.square().sum().backward()
    assert all(
        parameter.grad is not None
        for name, parameter in encoder.model.named_parameters()
        if name.startswith("feature_extractor.")
    )


def test_mask_embedding_may_be_absent_and_stays_so(changed: Callable[..., Path], tmp_path: Path) -> None:
    folder = changed()
    weights = load_file(folder / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = load_encoder(folder)
    assert encoder.filled == ("masked_spec_embed",)
    assert not encoder.model.get_parameter("masked_spec_embed").any()
    save_encoder(encoder, tmp_path, like=folder)
    assert load_file(tmp_path / "model.safetensors").keys() == weights.keys()


def test_nothing_is_filled_where_all_is_there(tiny_encoder: Path) -> None:
    assert load_encoder(tiny_encoder).filled == ()


def test_saved_encoder_loads_elsewhere_bit_for_bit(tiny_encoder: Path, tmp_path: Path) -> None:
    save_encoder(load_encoder(tiny_encoder), tmp_path, like=tiny_encoder)
    before, after = (AutoModel.from_pretrained(folder).state_dict() for folder in (tiny_encoder, tmp_path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_saved_encoder_keeps_the_configuration_byte_for_byte(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_encoder)
    encoder(*batch(16_000))
    save_encoder(encoder, tmp_path, like=tiny_encoder)
    for name in ("config.json", "preprocessor_config.json"):
        assert (tmp_path / name).read_bytes() == (tiny_encoder / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]


def test_configuration_is_made_where_there_is_none_to_keep(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = random_encoder(tiny_encoder, seed=3)
    save_encoder(encoder, tmp_path)
    again = load_encoder(tmp_path)
    assert again.normalize is encoder.normalize
    assert all(torch.equal(one, again.model.state_dict()[name]) for name, one in encoder.model.state_dict().items())
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == [type(encoder.model).__name__]
    assert config["apply_spec_augment"] is True


def test_random_encoder_depends_on_its_seed_alone(tiny_encoder: Path) -> None:
    torch.manual_seed(5)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (random_encoder(tiny_encoder, seed).model.state_dict() for seed in (10, 10, 11))
    assert torch.equal(torch.rand(1), drawn)
    loaded = load_encoder(tiny_encoder).model.state_dict()
    assert {name: tensor.shape for name, tensor in one.items()} == {name: t.shape for name, t in loaded.items()}
    assert all(torch.equal(one[name], same[name]) for name in one)
    name = "encoder.layers.0.attention.k_proj.weight"
    assert not torch.equal(one[name], other[name])
    assert not torch.equal(one[name], loaded[name])


def test_bfloat16_on_a_cpu_gives_the_features_of_float32() -> None:
    config = HubertConfig(
        hidden_size=192,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=64,
    )
    encoder = new_encoder(config, families()["hubert"], normalize=False, seed=0).eval()
    waveforms, lengths = torch.randn(2, 32_000), torch.tensor([32_000, 32_000])
    with torch.no_grad():
        exact = encoder(waveforms, lengths).last
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = copy.deepcopy(encoder)(waveforms, lengths).last.float()
    assert float((rounded - exact).norm() / exact.norm()) < 0.02
