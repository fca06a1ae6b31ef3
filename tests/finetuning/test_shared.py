"""Two processes that share each batch learn what one does, and leave one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from transformers import AutoConfig

from mergekit_speech.cli import main
from mergekit_speech.training.run_lock import locked
from tests.finetuning.shared import EVEN, SCENARIOS, train
from tests.tasks.few import few_emotions

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4
SILENT = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop")


def launch(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Starts a module in several processes, as a user does, on one thread each."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **variables}
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


LAUNCHES = {"ddp": {}, "fsdp": {"ACCELERATE_USE_FSDP": "true"}}
"""What `accelerate launch` tells the processes."""


@pytest.fixture(scope="module", params=LAUNCHES)
def shared(request: pytest.FixtureRequest, steady: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two processes for each scenario."""
    output = tmp_path_factory.mktemp("shared")
    done = launch("tests.finetuning.shared", str(steady), str(toy), str(output), **LAUNCHES[request.param])
    assert done.returncode == 0, done.stderr
    return output


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def compare_curves(both: Path, alone: Path) -> None:
    """Every step and validation of two runs, within the tolerance."""
    for two, one in zip(rows(both), rows(alone), strict=True):
        for part in ("valid", "base"):
            assert two.pop(part, {}) == pytest.approx(one.pop(part, {}), abs=TOLERANCE)
        for name in ("seconds", "waited", "memory"):
            assert (name in two) == (name in one)
            two.pop(name, None)
            one.pop(name, None)
        assert two == pytest.approx(one, abs=TOLERANCE)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_processes_learn_what_one_does(
    scenario: str, shared: Path, steady: Path, toy: Path, tmp_path: Path
) -> None:
    train(scenario, steady, toy, tmp_path)
    both, alone = shared / scenario, tmp_path / scenario
    assert sorted(path.relative_to(both) for path in both.rglob("*.*") if path.parent.name != "tensorboard") == sorted(
        path.relative_to(alone) for path in alone.rglob("*.*") if path.parent.name != "tensorboard"
    )
    compare_curves(both, alone)
    tensors, wanted = (load_file(run / "encoder" / "model.safetensors") for run in (both, alone))
    assert tensors.keys() == wanted.keys()
    # Softmax makes nothing of a bias of the keys, whose gradient is rounding noise that Adam brings to full size.
    for name, tensor in tensors.items():
        if not name.endswith("k_proj.bias"):
            assert float((tensor - wanted[name]).abs().max()) < TOLERANCE, name


def test_command_on_real_speech_in_two_processes(steady: Path, speech: Path, tmp_path: Path) -> None:
    data = few_emotions(speech, tmp_path / "data")
    arguments = [str(steady), "--task", "er", "--data", str(data), "--steps", "4", "--batch", "5", "--json"]
    done = launch("mergekit_speech.cli", "finetune", *arguments, "--output", str(tmp_path / "both"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["best_step"] == 4
    alone = CliRunner().invoke(main, ["finetune", *arguments, "--output", str(tmp_path / "alone")])
    assert alone.exit_code == 0, alone.output
    compare_curves(tmp_path / "both", tmp_path / "alone")


@pytest.mark.parametrize(
    ("launcher", "how", "word", "kept"),
    [("ddp", "ctrl-c", "stopped after step 6 of 8; --resume continues", 6), ("fsdp", "crash", "power cut", 4)],
)
def test_a_shared_run_that_broke_off_goes_on(
    launcher: str, how: str, word: str, kept: int, steady: Path, toy: Path, tmp_path: Path
) -> None:
    arguments = ["tests.finetuning.shared", str(steady), str(toy), str(tmp_path / "both"), how, "one"]
    broken = launch(*arguments, **LAUNCHES[launcher])
    assert word in broken.stderr
    assert torch.load(tmp_path / "both" / "one" / "checkpoints" / "last.pt", weights_only=False)["step"] == kept
    assert [row["step"] for row in rows(tmp_path / "both" / "one")][-1] < EVEN["steps"]
    done = launch(*arguments, **LAUNCHES[launcher])
    assert done.returncode == 0, done.stderr
    train("one", steady, toy, tmp_path / "alone")
    compare_curves(tmp_path / "both" / "one", tmp_path / "alone" / "one")


def test_second_launch_in_one_run_is_refused_once(shared: Path, steady: Path, toy: Path) -> None:
    output = shared / "one"
    with locked(output):
        done = launch(
            "mergekit_speech.cli", "finetune", str(steady), "--task", "ks", "--data", str(toy), "--output", str(output)
        )
    assert done.returncode != 0
    assert done.stderr.count("is being written by process") == 1
