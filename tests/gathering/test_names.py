"""Finding an encoder's parameters in checkpoints that name them otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mergekit_speech.errors import CheckpointError
from mergekit_speech.gathering.names import merged_names
from tests.layouts.samples import Sample, write_folder, write_s3prl

NORM = "encoder.layer_norm.weight"
LENGTH = "encoder.pos_conv_embed.conv.parametrizations.weight.original0"


@pytest.mark.parametrize("prefix", ["", "hubert.", "model.encoder."])
def test_a_prefix_and_older_names_are_seen_through(prefix: str, tmp_path: Path) -> None:
    tensors = {f"{prefix}{name}": torch.from_numpy(each) for name, each in Sample().weights().items()}
    older = f"{prefix}encoder.pos_conv_embed.conv.weight_g"
    tensors |= {older: tensors.pop(prefix + LENGTH), "lm_head.bias": torch.zeros(2)}
    save_file(tensors, tmp_path / "model.safetensors")
    assert merged_names(tmp_path, [NORM, LENGTH]) == {NORM: prefix + NORM, LENGTH: older}


def test_files_with_names_of_fairseq_are_merged_under_canonical_ones(tmp_path: Path) -> None:
    file = write_s3prl(tmp_path / "x.pt", Sample())
    assert merged_names(file, [NORM, LENGTH]) == {NORM: NORM, LENGTH: LENGTH}


def test_a_parameter_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample())
    with pytest.raises(CheckpointError, match=r"expected parameter 'gone' in .*, came none; write the encoder anew"):
        merged_names(folder, [NORM, "gone"])
