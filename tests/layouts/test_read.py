"""What a checkpoint is, told from its content."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mergekit_speech.errors import CheckpointError, ShardError
from mergekit_speech.layouts.read import EncoderCheckpoint, open_encoder
from mergekit_speech.merging.recipe import Named
from mergekit_speech.shards.reader import Checkpoint, Weights
from tests.layouts.samples import (
    FAMILIES,
    Array,
    Sample,
    antiquated,
    equal,
    fairseq_heads,
    fairseq_settings,
    fairseq_state,
    write_folder,
    write_run,
    write_s3prl,
    write_spin,
)

EVERY = [(family, large) for family in FAMILIES for large in (False, True)]
WAVEFORM = FAMILIES[:3]
PRETRAINING = "only for pre-training"


def values(checkpoint: Checkpoint) -> dict[str, Array]:
    found = {}
    with Weights(checkpoint) as weights:
        for name, each in checkpoint.parameters.items():
            buffer = bytearray(each.size)
            weights.read_into(name, memoryview(buffer))
            found[name] = np.frombuffer(buffer, "float32").reshape(each.shape)
    return found


def is_sample(encoder: EncoderCheckpoint, sample: Sample) -> bool:
    return equal(values(encoder), sample.weights())


@pytest.mark.parametrize(("family", "large"), EVERY)
@pytest.mark.parametrize("prefix", ["", "model.", "family."])
def test_transformers(family: str, large: bool, prefix: str, tmp_path: Path) -> None:
    sample = Sample(family, large)
    encoder = open_encoder(write_folder(tmp_path / "x", sample, prefix=prefix.replace("family", family)))
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.layout.container, encoder.layout.naming) == (family, "transformers", "transformers")
    assert encoder.config == sample.config()
    assert not encoder.left_out


@pytest.mark.parametrize("family", WAVEFORM)
def test_task_model_of_transformers(family: str, tmp_path: Path) -> None:
    heads = {"lm_head.weight": (5, 8), "lm_head.bias": (5,)}
    encoder = open_encoder(write_folder(tmp_path / "x", Sample(family), prefix=f"{family}.", heads=heads))
    assert is_sample(encoder, Sample(family))
    assert encoder.left_out == dict.fromkeys(heads, "head of a task model")
    assert {name: each.shape for name, each in encoder.rest.parameters.items()} == heads
    assert str(encoder.layout) == f"transformers, names of transformers behind '{family}.'"


@pytest.mark.parametrize("spelling", ["bin", "safetensors"])
def test_bare_weights_in_the_old_spelling(spelling: str, tmp_path: Path) -> None:
    sample = Sample("wav2vec2")
    tensors = {f"wav2vec2.{antiquated(name)}": torch.from_numpy(each) for name, each in sample.weights().items()}
    path = tmp_path / "weights.txt"
    if spelling == "bin":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    encoder = open_encoder(path)
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.config, encoder.layout.container) == ("wav2vec2", None, "weights")
    assert encoder.layout.old_weight_norm
    assert encoder.stored["encoder.layer_norm.bias"] == "wav2vec2.encoder.layer_norm.bias"


@pytest.mark.parametrize(("family", "large"), EVERY)
def test_converted_for_s3prl(family: str, large: bool, tmp_path: Path) -> None:
    sample = Sample(family, large)
    encoder = open_encoder(write_s3prl(tmp_path / "x.json", sample))
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.layout.container, encoder.layout.naming) == (family, "s3prl", "fairseq")
    assert encoder.left_out == dict.fromkeys(fairseq_heads(sample), PRETRAINING)
    assert (encoder.config or {}) == fairseq_settings(sample)


@pytest.mark.parametrize("family", FAMILIES)
def test_run_of_s3prl(family: str, tmp_path: Path) -> None:
    sample = Sample(family)
    encoder = open_encoder(write_run(tmp_path / "states-3.ckpt", sample))
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.layout.container, encoder.layout.prefix) == (family, "s3prl run", "model.")
    assert encoder.left_out == dict.fromkeys((f"model.{name}" for name in fairseq_heads(sample)), PRETRAINING) | {
        "Optimizer.state.0.exp_avg": "state of the optimizer",
        "Featurizer.weights": "weights of the layers, for a downstream head",
        "Downstream.connector.weight": "downstream head",
    }


def test_spin(tmp_path: Path) -> None:
    sample = Sample("hubert")
    encoder = open_encoder(write_spin(tmp_path / "spin.ckpt", sample))
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.layout.container, encoder.layout.prefix) == ("hubert", "Spin", "encoder.model.")
    assert encoder.left_out["loss_module.weight"] == "not part of the encoder"


@pytest.mark.parametrize("spelling", ["cfg", "args"])
@pytest.mark.parametrize("family", ["hubert", "wav2vec2"])
def test_fairseq(family: str, spelling: str, tmp_path: Path) -> None:
    sample = Sample(family, large=True)
    settings = fairseq_settings(sample)
    content: dict[str, Any] = {"model": fairseq_state(sample), "last_optimizer_state": {"m": torch.zeros(2)}}
    if spelling == "cfg":
        content["cfg"] = {"model": settings["model_cfg"], "task": settings["task_cfg"], "common": {"seed": 1}}
    else:
        flat = settings["model_cfg"] | settings["task_cfg"] | {"arch": f"{family}_large"}
        content |= {"cfg": None, "args": argparse.Namespace(**flat)}
    torch.save(content, tmp_path / "x.pt")
    encoder = open_encoder(tmp_path / "x.pt")
    assert is_sample(encoder, sample)
    assert (encoder.family, encoder.layout.container) == (family, "fairseq")
    assert (encoder.config or {})["model_cfg"]["encoder_layers"] == sample.layers
    assert encoder.left_out["last_optimizer_state.m"] == "state of a training"


def test_family_that_nothing_names(tmp_path: Path) -> None:
    torch.save(fairseq_state(Sample("hubert"), heads=False), tmp_path / "x.pt")
    assert open_encoder(tmp_path / "x.pt").family is None


def test_family_of_transformers_that_has_no_table(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample("hubert"))
    (folder / "config.json").write_text(json.dumps({"model_type": "data2vec-audio"}))
    encoder = open_encoder(folder)
    assert (encoder.family, len(encoder.parameters)) == ("data2vec-audio", len(Sample("hubert").shapes()))


def test_half_of_the_keys(tmp_path: Path) -> None:
    state = fairseq_state(Sample("hubert"))
    half = {name: state[name] for name in sorted(state)[::2]}
    torch.save({**fairseq_settings(Sample("hubert")), "model_weight": half}, tmp_path / "x.pt")
    with pytest.raises(
        CheckpointError, match=r"expected all \d+ parameters of a hubert encoder in .* without \d+, such"
    ):
        open_encoder(tmp_path / "x.pt")


def test_fewer_layers_than_the_settings_say(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample("wavlm"))
    (folder / "config.json").write_text(json.dumps(Sample("wavlm", layers=3).config()))
    with pytest.raises(CheckpointError, match=r"such as 'encoder.layers.2.attention.q_proj.weight'.*; fetch the file"):
        open_encoder(folder)


def test_head_only(tmp_path: Path) -> None:
    torch.save({"lm_head.weight": torch.zeros(2, 2)}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"expected an encoder with names such as .* came 'lm_head.weight'; give"):
        open_encoder(tmp_path / "x.pt")


def test_run_that_trained_its_head_only(tmp_path: Path) -> None:
    torch.save({"Downstream": {"w": torch.zeros(2)}, "Args": argparse.Namespace()}, tmp_path / "x.ckpt")
    with pytest.raises(
        CheckpointError, match="came a downstream run of s3prl that trained its head only; give one made"
    ):
        open_encoder(tmp_path / "x.ckpt")


def test_parameter_in_both_spellings(tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(each) for name, each in Sample("hubert").weights().items()}
    tensors["encoder.pos_conv_embed.conv.weight_g"] = torch.zeros(1, 1, 4)
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"expected every parameter once in .*weight_g'.*; remove one"):
        open_encoder(tmp_path / "x.safetensors")


@pytest.mark.parametrize(("text", "came"), [("[]", r"\[\]"), ("{", "Expecting")])
def test_config_that_is_no_object(text: str, came: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample())
    (folder / "config.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=rf"expected a JSON object in .*config.json, came {came}.*; fetch it again"
    ):
        open_encoder(folder)


def test_unknown_object(tmp_path: Path) -> None:
    torch.save({"model": {}, "task": Named("x")}, tmp_path / "x.pt")
    with pytest.raises(
        ShardError, match=r"cannot read .*came 'mergekit_speech.merging.recipe.Named', which was not run; fetch"
    ):
        open_encoder(tmp_path / "x.pt")
