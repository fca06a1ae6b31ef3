"""The workflows that are shipped: what they name exists, and each of them runs, scaled down, on real speech."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mergekit_speech.cli import main
from mergekit_speech.merging.ready import WORKFLOWS
from mergekit_speech.registry import CORPORA, TASKS
from mergekit_speech.workflows.read import read_workflow
from mergekit_speech.workflows.schema import FinetunePart
from tests.tasks.few import aligned_phones, few_emotions, few_names, few_texts, few_unlabelled

NAMES = ["aishell3-unsupervised", "iemocap-er", "multitask-pr-sid", "ted-asr", "timit-pc", "voxceleb-sid"]
NUMBERS = re.compile(r"(steps|batch|accumulate|evaluate_every): \d+")


def test_all_settings_of_the_paper_are_there() -> None:
    assert WORKFLOWS.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_names_in_it_exist(name: str, tmp_path: Path) -> None:
    text = WORKFLOWS.text(name)
    for word in ("# Assumes:", "msm prepare ", f"msm run {name} ", "# Source: Speech-FT (arXiv:2502.12672)"):
        assert word in text
    for corpus, options in re.findall(r"msm prepare (\w+) /corpora --output data(.*)", text):
        assert corpus in CORPORA.names()
        assert re.fullmatch(r"( --(tasks|train-hours) \w+)?", options)
    workflow = read_workflow(WORKFLOWS.path(name), data=str(tmp_path))
    tuned = [step.part for step in workflow.steps if isinstance(step.part, FinetunePart)]
    assert tuned
    for part in tuned:
        assert part.head_only == 0.1
        for task in [part.task] if isinstance(part.task, str) else part.task or []:
            assert task in TASKS.names()


@pytest.fixture(scope="module")
def data(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for make in (aligned_phones, few_texts, few_emotions, few_names):
        make(speech, folder)
    (folder / "pr").symlink_to(folder / "pc")
    return few_unlabelled(speech, folder, "aishell3")


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_real_speech(name: str, data: Path, with_codebook: Path, tmp_path: Path) -> None:
    file, output = tmp_path / f"{name}.yaml", tmp_path / "out"
    printed = CliRunner().invoke(main, ["run", name, "--print"])
    assert printed.exit_code == 0, printed.output
    small = {"steps": 2, "batch": 2, "accumulate": 1, "evaluate_every": 1}
    text = NUMBERS.sub(lambda found: f"{found[1]}: {small[found[1]]}", printed.stdout)
    # A tenth of two steps is none: the encoder would never be frozen.
    file.write_text(re.sub(r"head_only: 0.1", "head_only: 0.4", text))
    said = CliRunner().invoke(
        main, ["run", str(file), "--base", str(with_codebook), "--data", str(data), "--output", str(output), "--json"]
    )
    assert said.exit_code == 0, said.output
    steps = json.loads(said.stdout)["steps"]
    merges = [Path(step["folder"]) for step in steps if step["verb"] == "merge"]
    assert merges
    assert all((folder / "model.safetensors").is_file() for folder in merges)


def test_a_ready_name_runs_as_a_file_does(data: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["run", "ted-asr", "--data", str(data), "--dry-run", "--json"])
    assert [step["name"] for step in json.loads(said.stdout)["steps"]] == ["stable", "speech-ft"]
    listed = CliRunner().invoke(main, ["run", "--json"])
    assert [row["name"] for row in json.loads(listed.stdout)["workflows"]] == NAMES
    wrong = CliRunner().invoke(main, ["run", "ted-as", "--output", str(tmp_path / "out")])
    assert wrong.exit_code == 2
    assert "expected a ready workflow, came 'ted-as' (did you mean 'ted-asr'?)" in wrong.stderr
    lacking = CliRunner().invoke(main, ["run", "ted-asr"])
    assert lacking.exit_code == 2
    assert "expected msm run ted-asr --output DIR, came no --output" in lacking.stderr


def test_steps_are_changed_from_the_command_line(data: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    few = ("steps=2", "batch=2", "evaluate_every=1", "head_only=0.4")
    changes = [word for each in few for word in ("--set", f"stable.{each}")]
    arguments = ["run", "timit-pc", "--base", str(tiny_hubert), "--data", str(data), *changes]
    shown = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert "stable: finetune encoder: base, task: pc, steps: 2, lr: 0.0001, batch: 2, " in shown.stderr
    said = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "out"), "--quiet"])
    assert said.exit_code == 0, said.output
    record = json.loads((tmp_path / "out" / "stable" / "record.json").read_text())
    assert (record["settings"]["steps"], record["settings"]["clips"]) == (2, 2)
    assert (tmp_path / "out" / "speech-ft" / "model.safetensors").is_file()


@pytest.mark.parametrize("text", ["stable.steps", "stable.steps=!!python/none x", "stable.steps=1\n---\n2"])
def test_change_that_is_none(text: str, data: Path) -> None:
    wrong = CliRunner().invoke(main, ["run", "ted-asr", "--data", str(data), "--dry-run", "--set", text])
    assert wrong.exit_code == 2
    assert f"expected --set STEP.KEY=VALUE, such as stable.steps=2000, came {text!r}" in wrong.stderr


def test_no_step_takes_the_name_of_the_base(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: b\ndata: d\nsteps:\n  - name: base\n    finetune: {encoder: base, task: ks}\n")
    said = CliRunner().invoke(main, ["run", str(file), "--dry-run"])
    assert "line 4: expected another name than 'base', which is the workflow's base" in said.stderr
