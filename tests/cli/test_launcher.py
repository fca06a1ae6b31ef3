"""Commands under a launcher: only the first process speaks, and only fine-tuning is shared."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from tests.finetuning.conftest import toy

__all__ = ["toy"]


def finetune(base: Path, data: Path, output: Path, *arguments: str) -> Result:
    fixed = ["--task", "ks", "--data", str(data), "--output", str(output), "--steps", "2"]
    return CliRunner().invoke(main, ["finetune", str(base), *fixed, *arguments])


def test_other_commands_refuse_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = CliRunner().invoke(main, ["strategies"])
    assert said.exit_code == 2
    assert "expected one process of 'msm strategies', came 2: start it without a launcher" in said.output


def test_other_processes_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    said = CliRunner().invoke(main, ["strategies", "--json"])
    assert (said.exit_code, said.output) == (0, "")


def test_options_of_size_and_speed(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    sizes = ["--batch-seconds", "1.3", "--accumulate-seconds", "2", "--workers", "2"]
    said = finetune(tiny_hubert, toy, tmp_path / "run", *sizes, "--gradient-checkpointing", "--precision", "bf16")
    assert said.exit_code == 0, said.output
    assert "data waited " in said.output


def test_clip_longer_than_a_batch(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    said = finetune(tiny_hubert, toy, tmp_path / "run", "--batch-seconds", "0.5")
    assert said.exit_code == 3
    assert (
        "clip 'train11' lasts 0.6 s, more than a whole batch of 0.5 s: raise the batch size in seconds" in said.output
    )
