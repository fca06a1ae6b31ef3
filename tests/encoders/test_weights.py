"""Directories that do not hold an encoder, each refused in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError

NAME = "encoder.layers.0.attention.k_proj.weight"
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tiny_hubert: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(tiny_hubert, tmp_path / "encoder"))


def refuse(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_encoder(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewrite(folder: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_folder_without_config(tmp_path: Path) -> None:
    assert refuse(tmp_path) == (
        f"{tmp_path} is not an encoder: expected a transformers directory with config.json; fetch it, or take the "
        "settings from a checkpoint of the same encoder with msm convert --layout transformers --like CHECKPOINT"
    )


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_configuration_that_is_not_json(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    assert refuse(folder).startswith(f"{folder}/{name} is not JSON (Expecting property name enclosed")
    (folder / name).write_bytes(b"\xff")
    assert refuse(folder).startswith(f"{folder}/{name} is not JSON ('utf-8' codec can't decode byte 0xff")
    (folder / name).write_text("[1]")
    assert refuse(folder) == f"{folder}/{name}: expected a JSON object, got [1]: the checkpoint is damaged"


def test_model_of_another_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}')
    assert refuse(folder).startswith(f"{folder}/config.json: model_type 'bert' is not a speech encoder")


def test_setting_of_the_wrong_kind(changed: Callable[..., Path]) -> None:
    folder = changed(hidden_size="wide")
    said = refuse(folder)
    assert said.startswith(f"{folder}/config.json: transformers refuses it (")
    assert "'hidden_size'" in said
    assert said.endswith("): the checkpoint is damaged")


def test_settings_that_no_model_can_have(changed: Callable[..., Path]) -> None:
    folder = changed(num_attention_heads=5)
    assert refuse(folder).startswith(f"{folder}: cannot load the HuBERT encoder (embed_dim must be divisible by")


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    said = refuse(folder)
    assert said.startswith(f"{folder}: cannot load the HuBERT encoder (Error no file named model.safetensors")
    assert said.endswith("): the checkpoint is damaged or incomplete; copy or download it again")


@pytest.mark.parametrize("kept", [0, 5, 5000])
def test_truncated_weights(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert refuse(folder).startswith(f"{folder}: cannot load the HuBERT encoder (")


def test_missing_parameter(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.pop(NAME))
    assert refuse(folder) == (
        f"{folder}: 1 parameters of the HuBERT encoder are not in its weights, the first is {NAME!r}:"
        " the checkpoint is incomplete or of another model"
    )


def test_parameter_of_another_shape(changed: Callable[..., Path]) -> None:
    folder = changed(intermediate_size=48)
    assert refuse(folder) == (
        f"{folder}: 6 parameters have another shape than config.json says, the first is"
        " 'encoder.layers.0.feed_forward.intermediate_dense.bias': expected (48,), got (64,);"
        " config.json and weights are of different models"
    )


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weight_that_is_not_finite(folder: Path, value: float) -> None:
    rewrite(folder, lambda tensors: tensors[NAME].view(-1).__setitem__(3, value))
    expected = f"{folder}: parameter {NAME!r} holds values that are not finite: take another checkpoint of the encoder"
    assert refuse(folder) == expected


def test_checkpoint_of_a_model_with_a_head_gives_its_encoder(folder: Path, tiny_hubert: Path) -> None:
    tensors = {f"hubert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(
        {**tensors, "lm_head.weight": torch.zeros(3, 32)}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    ours, theirs = load_encoder(folder).model.state_dict(), load_encoder(tiny_hubert).model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_old_weight_norm_names_are_read(folder: Path, tiny_hubert: Path) -> None:
    prefix = "encoder.pos_conv_embed.conv."

    def rename(tensors: Tensors) -> None:
        tensors[f"{prefix}weight_g"] = tensors.pop(f"{prefix}parametrizations.weight.original0")
        tensors[f"{prefix}weight_v"] = tensors.pop(f"{prefix}parametrizations.weight.original1")

    rewrite(folder, rename)
    ours, theirs = load_encoder(folder).model.state_dict(), load_encoder(tiny_hubert).model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_half_precision_weights_are_widened(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.update({name: tensor.half() for name, tensor in tensors.items()}))
    encoder = load_encoder(folder)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert torch.equal(encoder.model.state_dict()[NAME], load_file(folder / "model.safetensors")[NAME].float())


def test_loading_says_nothing_and_leaves_the_logging_as_it_was(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_encoder(folder)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
