"""A run that was killed without warning ends, resumed, in the bits of the run that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mergekit_speech.errors import OutputError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.training.run_lock import locked
from tests.finetuning.killed import POINTS, SETTINGS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    output = tmp_path_factory.mktemp("whole") / "run"
    finetune(tiny_hubert, task="ks", data=toy, output=output, settings=SETTINGS)
    return output


@pytest.fixture(scope="module")
def killed(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one killed run for each point."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.finetuning.killed", str(tiny_hubert), str(toy), str(folder), *POINTS]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, timeout=300)
    return folder


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_resumed_run_ends_in_the_same_bits(
    point: str, killed: Path, whole: Path, tiny_hubert: Path, toy: Path
) -> None:
    output = killed / point
    assert not (output / "encoder").exists()
    finetune(tiny_hubert, task="ks", data=toy, output=output, settings=SETTINGS, resume=True)
    for name in ("encoder/model.safetensors", "head/head.safetensors"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()
    histories = [json.loads((run / "record.json").read_text())["history"] for run in (output, whole)]
    assert histories[0] == histories[1]
    steps = [json.loads(line)["step"] for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_second_process_in_a_run_is_refused_and_leaves_it_alone(whole: Path, tiny_hubert: Path, toy: Path) -> None:
    before = (whole / "record.json").read_bytes()
    with locked(whole), pytest.raises(OutputError, match=r"is being written by process \d+ on .*: wait for it to end"):
        finetune(tiny_hubert, task="ks", data=toy, output=whole, settings=SETTINGS, overwrite=True)
    assert (whole / "record.json").read_bytes() == before
