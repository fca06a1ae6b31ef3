"""Two processes that share each batch learn what one does, and leave one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import AutoConfig

from tests.finetuning.shared import SCENARIOS, train

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4
SILENT = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop")


def launch(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Starts a module in several processes, as a user does, on one thread each."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*launcher, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def steady(tiny_hubert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny HuBERT without dropout, whose random numbers differ between processes."""
    folder = tmp_path_factory.mktemp("steady")
    for path in tiny_hubert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict.fromkeys(SILENT, 0.0)))
    assert AutoConfig.from_pretrained(folder).feat_extract_norm == "group"
    return folder


@pytest.fixture(scope="module")
def shared(steady: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two processes for each scenario."""
    output = tmp_path_factory.mktemp("shared")
    done = launch("tests.finetuning.shared", str(steady), str(toy), str(output))
    assert done.returncode == 0, done.stderr
    return output


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_processes_learn_what_one_does(
    scenario: str, shared: Path, steady: Path, toy: Path, tmp_path: Path
) -> None:
    train(scenario, steady, toy, tmp_path)
    both, alone = shared / scenario, tmp_path / scenario
    assert sorted(path.relative_to(both) for path in both.rglob("*.*") if path.parent.name != "tensorboard") == sorted(
        path.relative_to(alone) for path in alone.rglob("*.*") if path.parent.name != "tensorboard"
    )
    for two, one in zip(rows(both), rows(alone), strict=True):
        timeless = {name: value for name, value in one.items() if name not in ("seconds", "waited", "valid")}
        assert {name: two[name] for name in timeless} == pytest.approx(timeless, abs=TOLERANCE)
        assert two.get("valid", {}) == pytest.approx(one.get("valid", {}), abs=TOLERANCE)
    tensors, wanted = (load_file(run / "encoder" / "model.safetensors") for run in (both, alone))
    assert tensors.keys() == wanted.keys()
    for name, tensor in tensors.items():
        assert float((tensor - wanted[name]).abs().max()) < TOLERANCE, name
