"""Checkpoints side by side, whatever their layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mergekit_speech.analysis.distance import compare_checkpoints
from mergekit_speech.errors import CheckpointError, PairingError
from tests.layouts.samples import (
    FAMILIES,
    Sample,
    fairseq_state,
    read_folder,
    write_folder,
    write_s3prl,
)

QUERY = "encoder.layers.1.attention.q_proj.weight"
HEADS = {"lm_head.weight": (5, 8), "lm_head.bias": (5,)}
RANK = 2


@pytest.mark.parametrize("family", FAMILIES)
def test_layouts_pair_by_canonical_names(family: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", Sample(family))
    file = write_s3prl(tmp_path / "x.pt", Sample(family))
    torch.save({"state_dict": fairseq_state(Sample(family), prefix="encoder.model.")}, tmp_path / "spin.ckpt")
    for other in (file, tmp_path / "spin.ckpt"):
        found = compare_checkpoints(folder, other)
        assert (found.whole.l2, len(found.parameters)) == (0, len(Sample(family).shapes()))
        assert {each.name for each in found.parameters} == set(Sample(family).shapes())


def test_heads_of_one_side_are_left_out(tmp_path: Path) -> None:
    bare = write_folder(tmp_path / "bare", Sample("wavlm"))
    task = write_folder(tmp_path / "task", Sample("wavlm"), prefix="wavlm.", heads=HEADS)
    found = compare_checkpoints(bare, task)
    assert found.whole.l2 == 0
    assert found.left_out == {str(task): dict.fromkeys(HEADS, "head of a task model")}


def test_heads_of_both_sides_are_compared(tmp_path: Path) -> None:
    one, other = (
        write_folder(tmp_path / name, Sample("wavlm"), prefix="wavlm.", heads=HEADS) for name in ("one", "other")
    )
    found = compare_checkpoints(one, other)
    assert {each.name for each in found.parameters} >= set(HEADS)
    assert not found.left_out


def test_encoders_of_two_sizes_do_not_pair(tmp_path: Path) -> None:
    folder, file = write_folder(tmp_path / "x", Sample("hubert")), write_s3prl(tmp_path / "x.pt", Sample(layers=3))
    with pytest.raises(PairingError, match=r"x.pt has 16 that the base lacks: encoder.layers.2"):
        compare_checkpoints(folder, file)


def write_adapter(folder: Path, base: str, *, head: bool = False) -> Path:
    """A LoRA that adds a quarter to every weight of one matrix."""
    width, name = Sample().hidden, f"base_model.model.{QUERY.removesuffix('.weight')}"
    tensors = {
        f"{name}.lora_A.weight": np.full((RANK, width), 0.25, np.float32),
        f"{name}.lora_B.weight": np.full((width, RANK), 0.5, np.float32),
    }
    tensors |= {"base_model.model.classifier.weight": np.ones((2, width), np.float32)} if head else {}
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("named", [True, False])
def test_adapter_on_its_base(layout: str, named: bool, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "base", Sample("hubert"))
    base = folder if layout == "folder" else write_s3prl(tmp_path / "x.pt", Sample("hubert"))
    adapter = write_adapter(tmp_path / "lora", str(base) if named else "", head=True)
    found = compare_checkpoints(folder, adapter, base=None if named else base)
    changed = {each.name: each.l2 for each in found.parameters if each.l2}
    assert changed == {QUERY: pytest.approx(0.25 * Sample().hidden, rel=1e-5)}
    assert found.left_out[str(adapter)] == {"classifier.weight": "head of a task model"}


def test_two_adapters(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", Sample("hubert"))
    one, other = (write_adapter(tmp_path / name, str(base)) for name in ("one", "other"))
    found = compare_checkpoints(one, other, base=base)
    assert found.whole.l2 == 0
    assert found.whole.delta_cosine == pytest.approx(1)
    assert set(read_folder(base)) == {each.name for each in found.parameters}


@pytest.mark.parametrize("base", ["", "/gone/encoder"])
def test_adapter_whose_base_is_gone(base: str, tmp_path: Path) -> None:
    folder, adapter = write_folder(tmp_path / "x", Sample("hubert")), write_adapter(tmp_path / "lora", base)
    came = repr(base or None)
    with pytest.raises(
        CheckpointError, match=rf"expected the base of the adapter .*, came {came}, .*; say with --base"
    ):
        compare_checkpoints(folder, adapter)
