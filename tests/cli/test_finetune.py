"""`msm finetune`: the options that choose a method."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.cli.finetune import command as finetune
from mergekit_speech.training.loggers import LOGGERS
from tests.finetuning.conftest import toy

__all__ = ["toy"]


def invoke(base: Path, data: Path, output: Path, *arguments: str) -> Result:
    fixed = ["--task", "ks", "--data", str(data), "--output", str(output), "--steps", "2", "--batch", "4"]
    return CliRunner().invoke(main, ["finetune", str(base), *fixed, *arguments])


@pytest.mark.parametrize(
    ("arguments", "method", "head_only"),
    [
        (["--regular"], {"train_cnn": True}, 0.0),
        (["--train-cnn"], {"train_cnn": True}, 0.1),
        (["--l2", "0.1", "--l2-layers", "1,0.5"], {"l2": {"weight": 0.1, "layers": [1.0, 0.5]}}, 0.1),
        (
            ["--dora", "2", "--adapter-alpha", "3", "--adapter-targets", "q_proj,v_proj"],
            {"adapter": {"kind": "dora", "rank": 2, "alpha": 3, "targets": ["q_proj", "v_proj"]}},
            0.1,
        ),
        (["--ema", "0.9", "--early", "0.5"], {"ema": 0.9, "early": 0.5}, 0.1),
    ],
)
def test_options_become_the_method_of_the_run(
    arguments: list[str], method: dict[str, Any], head_only: float, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    said = invoke(tiny_hubert, toy, tmp_path / "run", *arguments, "--json")
    assert said.exit_code == 0, said.output
    settings = json.loads((tmp_path / "run" / "record.json").read_text())["settings"]
    assert (settings["method"], settings["head_only"]) == (method, head_only)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lora", "2", "--dora", "2"], "--lora and --dora are two kinds of adapter; choose one"),
        (["--adapter-alpha", "2"], "--adapter-alpha and --adapter-targets describe an adapter; give --lora or --dora"),
        (["--l2-layers", "1,1"], "--l2-layers says how --l2 differs between layers; give --l2 too"),
        (["--l2", "1", "--l2-layers", "1,x"], "expected --l2-layers as numbers with commas between them, came '1,x'"),
        (["--l2", "-1"], "the weight of the distance to the base must be at least 0, got -1.0"),
        (["--lora", "2", "--regular"], "an adapter leaves the encoder as it is"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: list[str], message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    said = invoke(tiny_hubert, toy, tmp_path / "run", *arguments)
    assert said.exit_code == 2
    assert message in " ".join(said.stderr.split())
    assert not (tmp_path / "run").exists()


def test_loggers_are_chosen_and_are_no_part_of_what_a_run_is(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    assert invoke(tiny_hubert, toy, tmp_path / "run", "--log-to", "none").exit_code == 0
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert invoke(tiny_hubert, toy, tmp_path / "run", "--log-to", "tensorboard", "--resume").exit_code == 0
    assert (tmp_path / "run" / "tensorboard").is_dir()
    assert "log_to" not in (tmp_path / "run" / "record.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "wandb"], "--log-to none goes with no other, came none, wandb; leave it out"),
        (["wandb"], "logging to wandb needs its package, which is not installed: pip install 'mergekit-speech[wandb]'"),
    ],
)
def test_loggers_that_cannot_be_used_are_refused_before_anything_is_done(
    arguments: list[str],
    message: str,
    tiny_hubert: Path,
    toy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mergekit_speech.training.loggers.find_spec", lambda name: None)
    said = invoke(tiny_hubert, toy, tmp_path / "run", *(part for name in arguments for part in ("--log-to", name)))
    assert said.exit_code == 2
    assert message in " ".join(said.stderr.split())
    assert not (tmp_path / "run").exists()


def test_every_logger_is_a_choice() -> None:
    (option,) = (each for each in finetune.params if each.name == "log_to")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == [*LOGGERS, "none"]


def test_several_tasks_and_unlabelled_speech_on_the_command_line(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    fixed = ["finetune", str(tiny_hubert), "--data", str(toy), "--steps", "2", "--batch", "4", "--json"]
    joint = [*fixed, "--output", str(tmp_path / "joint"), "--task", "pr", "--task", "ks", "--task-weight", "pr=0.5"]
    said = CliRunner().invoke(main, [*joint, "--temperature", "2"])
    assert said.exit_code == 0, said.output
    record = json.loads((tmp_path / "joint" / "record.json").read_text())
    assert (record["task"], record["mixture"]) == (["pr", "ks"], {"weights": {"pr": 0.5}, "temperature": 2.0})
    alone = [*fixed, "--output", str(tmp_path / "alone"), "--unlabelled", "ks", "--clusters", "3"]
    said = CliRunner().invoke(main, alone)
    assert said.exit_code == 0, said.output
    assert set(json.loads(said.stdout)["valid"]) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --task, or --unlabelled, came both or neither"),
        (["--task", "ks", "--unlabelled", "ks"], "expected --task, or --unlabelled, came both or neither"),
        (["--task", "ks", "--clusters", "3"], "--targets, --clusters and --cluster-layer are for --unlabelled"),
        (["--task", "ks", "--temperature", "3"], "--task-weight and --temperature are for several tasks"),
        (["--task", "ks", "--task", "pr", "--temperature", "0"], "and the temperature must be above 0, got 0.0"),
        (["--task", "ks", "--task", "pr", "--task-weight", "ks"], "expected --task-weight NAME=WEIGHT, came 'ks'"),
    ],
)
def test_scenarios_that_make_no_sense(
    arguments: list[str], message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    said = CliRunner().invoke(
        main, ["finetune", str(tiny_hubert), "--data", str(toy), "--output", str(tmp_path / "run"), *arguments]
    )
    assert said.exit_code == 2
    assert message in " ".join(said.stderr.split())
    assert not (tmp_path / "run").exists()
