"""Merges of inputs that are held in memory."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mergekit_speech.errors import ShardError
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.held import HeldInputs
from mergekit_speech.merging.plan import Plan, make_plan
from mergekit_speech.merging.recipe import Case, Filter, Merge, Recipe, Tuned
from mergekit_speech.shards.reader import open_checkpoint


def write(folder: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir()
    state = {
        "a.weight": rng.normal(size=(7, 5)).astype(np.float32),
        "b.weight": rng.normal(size=(6, 4)).astype(ml_dtypes.bfloat16),
        "count": np.arange(3),
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text("{}")
    return folder


def plan(base: Path, tuned: Path, strategy: str, params: Mapping[str, Any]) -> Plan:
    return make_plan(Recipe(Merge(base, (Tuned(tuned),), strategy, params)))


@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        ("linear", {"alpha": 0.3}),
        ("linear", {"alpha": (Case(0.3, Filter("a.")), Case(0.0))}),
        ("ties", {"density": 0.4, "trim": "tensor"}),
        ("pcb", {"density": 0.5}),
        ("dare_linear", {"density": 0.5}),
    ],
)
def test_bits_are_those_that_a_merge_writes(tmp_path: Path, strategy: str, params: Mapping[str, Any]) -> None:
    made = plan(write(tmp_path / "base", 0), write(tmp_path / "tuned", 1), strategy, params)
    run_plan(made, tmp_path / "out")
    written, held = load_file(tmp_path / "out" / "model.safetensors"), HeldInputs().merge(made)
    assert held.keys() == written.keys()
    for name, array in written.items():
        assert held[name].tobytes() == array.tobytes()
        assert name == "count" or (held[name].shape, held[name].dtype) == (array.shape, array.dtype)


def test_inputs_are_read_once(tmp_path: Path) -> None:
    base, tuned, held = write(tmp_path / "base", 0), write(tmp_path / "tuned", 1), HeldInputs()
    plans = [plan(base, tuned, "linear", {"alpha": alpha}) for alpha in (0.25, 0.5)]
    checkpoint = open_checkpoint(tuned)
    before = [held.merge(each)["a.weight"].copy() for each in plans]
    shutil.rmtree(base)
    shutil.rmtree(tuned)
    assert [held.merge(each)["a.weight"].tolist() for each in plans] == [each.tolist() for each in before]
    assert before[0].tolist() != before[1].tolist()
    assert held.read(checkpoint)["a.weight"].shape == (7, 5)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    base, tuned = write(tmp_path / "base", 0), write(tmp_path / "tuned", 1)
    state = load_file(tuned / "model.safetensors")
    save_file({**state, "a.weight": np.full((7, 5), np.nan, np.float32)}, tuned / "model.safetensors")
    with pytest.raises(ShardError, match=r"expected finite values, came nan in parameter 'a\.weight'"):
        HeldInputs().merge(plan(base, tuned, "linear", {"alpha": 0.5}))
