"""Running workflows: sequential Speech-FT from first to last, broken and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mergekit_speech import merge, weights_digest
from mergekit_speech.cli import main
from mergekit_speech.errors import CheckpointError, OutputError, SettingsError
from mergekit_speech.finetuning.joint import Mixture
from mergekit_speech.workflows.read import read_workflow
from mergekit_speech.workflows.run import run_workflow

TEXT = """\
data: {data}
steps:
  - name: pr
    finetune: {{encoder: {base}, task: pr, steps: 2, batch: 4, ema: 0.9}}
  - name: pr25
    merge: {{tuned: pr, alpha: 0.25}}
  - name: ks
    finetune: {{encoder: pr25, task: ks, steps: 2, batch: 4, lora: 2}}
  - name: both
    merge: {{base: pr25, tuned: [ks], parameters: {{alpha: 0.5}}}}
  - name: ties
    merge: {{base: {base}, tuned: [pr, both], strategy: ties, parameters: {{density: 0.5}}}}
  - name: report
    bench: {{encoders: [{base}, both], tasks: [ks], seeds: [0], steps: 2, batch: 4}}
"""


@pytest.fixture(scope="module")
def file(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("workflow") / "workflow.yaml"
    path.write_text(TEXT.format(base=tiny_hubert, data=toy))
    return path


@pytest.fixture(scope="module")
def done(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("done") / "out"
    said = CliRunner().invoke(main, ["run", str(file), "--output", str(output), "--json"])
    assert said.exit_code == 0, said.output
    steps = json.loads(said.stdout)["steps"]
    assert [(step["name"], step["verb"], step["done_before"]) for step in steps][:2] == [
        ("pr", "finetune", False),
        ("pr25", "merge", False),
    ]
    return output


def test_each_step_leaves_what_its_verb_leaves(done: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    for run in ("pr", "ks"):
        assert (done / run / "encoder" / "model.safetensors").is_file()
    record = json.loads((done / "ks" / "record.json").read_text())
    assert record["base"]["path"] == str(done / "pr25")
    assert record["settings"]["method"]["adapter"]["rank"] == 2
    merge(tiny_hubert, done / "pr", alpha=0.25, output=tmp_path / "again")
    assert weights_digest(tmp_path / "again") == weights_digest(done / "pr25")
    results = json.loads((done / "report" / "results.json").read_text())
    assert [encoder["label"] for encoder in results["encoders"]][1] == "both"


def test_finished_steps_are_not_done_again(done: Path, file: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    told: list[tuple[str, bool]] = []
    results = run_workflow(read_workflow(file), done, told=lambda name, begins: told.append((name, begins)))
    assert all(result.done_before for result in results)
    assert [begins for _, begins in told] == [False] * 6
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()} == before


def test_steps_behind_a_fault_are_done_once_it_is_mended(file: Path, tmp_path: Path) -> None:
    text = file.read_text().replace("tuned: [ks]", "tuned: [ks, nowhere/nothing]")
    broken, output = tmp_path / "broken.yaml", tmp_path / "out"
    broken.write_text(text)
    with pytest.raises(CheckpointError):
        run_workflow(read_workflow(broken), output)
    assert sorted(json.loads((output / "workflow.json").read_text())) == ["ks", "pr", "pr25"]
    results = run_workflow(read_workflow(file), output)
    assert [result.done_before for result in results] == [True] * 3 + [False] * 3


def test_finished_step_that_is_described_anew(done: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("ema: 0.9", "ema: 0.8"))
    with pytest.raises(SettingsError, match=r"the step 'pr' in .* was made by another description: delete .*/pr and"):
        run_workflow(read_workflow(other), done)


def test_bench_is_told_of_base_and_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "folds.yaml"
    told: dict[str, object] = {}

    def bench(encoders: list[str], **settings: object) -> None:
        told.update(settings, encoders=encoders)

    monkeypatch.setattr("mergekit_speech.workflows.run.bench", bench)
    file.write_text("data: speech\nsteps:\n  - name: report\n    bench: {encoders: [base], tasks: [er], folds: 1}\n")
    run_workflow(read_workflow(file, base="lab/hubert"), tmp_path / "out")
    assert (told["encoders"], told["tasks"], told["folds"]) == (["base=lab/hubert"], ["er"], 1)


@pytest.mark.parametrize(
    ("words", "mixture"),
    [
        ("", Mixture({})),
        ("temperature: 5.0, ", Mixture({}, 5.0)),
        ("task_weights: {pr: 0.5}, ", Mixture({"pr": 0.5})),
        ("task_weights: {pr: 0.5}, temperature: 5.0, ", Mixture({"pr": 0.5}, 5.0)),
    ],
)
def test_tasks_share_a_run_as_the_file_says(
    words: str, mixture: Mixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, object] = {}
    monkeypatch.setattr("mergekit_speech.workflows.run.finetune", lambda _encoder, **settings: told.update(settings))
    file = tmp_path / "joint.yaml"
    file.write_text(f"data: speech\nsteps:\n  - name: both\n    finetune: {{{words}encoder: base, task: [pr, ks]}}\n")
    run_workflow(read_workflow(file), tmp_path / "out")
    assert (told["task"], told["mixture"]) == (["pr", "ks"], mixture)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("task: [pr, ks], temperature: 0.0", "the temperature must be above 0, got 0.0"),
        ("unlabelled: ks, clusters: 0", "k-means needs at least 2 clusters, got 0"),
        ("task: pr, lora: 0", "rank"),
    ],
)
def test_zero_is_not_taken_for_the_default(words: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "zero.yaml"
    file.write_text(f"data: speech\nsteps:\n  - name: tuned\n    finetune: {{encoder: base, {words}}}\n")
    with pytest.raises(SettingsError, match=message):
        run_workflow(read_workflow(file), tmp_path / "out")


def test_output_that_is_something_else(file: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists and is no folder of a workflow: choose another --output"):
        run_workflow(read_workflow(file), tmp_path)


def test_dry_run_writes_nothing_and_faults_exit_with_two(file: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["run", str(file), "--output", str(tmp_path / "out"), "--dry-run", "--json"])
    assert said.exit_code == 0
    assert len(json.loads(said.stdout)["steps"]) == 6
    assert not (tmp_path / "out").exists()
    bad = tmp_path / "bad.yaml"
    bad.write_text("steps: []")
    said = CliRunner().invoke(main, ["run", str(bad), "--output", str(tmp_path / "out")])
    assert said.exit_code == 2
    assert "line 1: steps:" in said.stderr


def test_loggers_may_change_and_a_step_stays_done(file: Path, done: Path, tmp_path: Path) -> None:
    other = tmp_path / "workflow.yaml"
    other.write_text(file.read_text().replace("ema: 0.9}", "ema: 0.9, log_to: []}"))
    assert all(step.done_before for step in run_workflow(read_workflow(other), done))
