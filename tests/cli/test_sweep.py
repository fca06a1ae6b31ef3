"""`msm sweep`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from tests.conftest import save_tiny_encoder
from tests.superb.corpus import corpus
from tests.sweeping.encoders import make_run

__all__ = ["corpus"]

FEW = ("--seeds", "0", "--steps", "4", "--batch", "6", "--accumulate", "1", "--lr", "1e-2")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


@pytest.fixture
def run(tiny_hubert: Path, tmp_path: Path) -> Path:
    return make_run(tiny_hubert, tmp_path / "pr", 1)


def sweep(run: Path, corpus: Path, output: Path, *arguments: str | Path) -> Result:
    return invoke(run, "--data", corpus, "--tasks", "ks", "--output", output, *FEW, *arguments)


def test_table_shows_points_and_the_pick(run: Path, corpus: Path, tmp_path: Path) -> None:
    done = sweep(run, corpus, tmp_path / "report", "--alphas", "0:1:0.5", "--save-best", tmp_path / "best")
    assert done.exit_code == 0, done.output
    for label in ("base", "pr", "linear α=0.5", "KS accuracy ↑", "Picked by validation: "):
        assert label in done.stdout
    assert "1/3  base: ks, seed 0: acc" in done.stderr
    assert f"report: {tmp_path / 'report' / 'report.html'}\n" in done.stderr
    assert f": {tmp_path / 'best'}\n" in done.stderr


def test_json_is_one_document(run: Path, tiny_hubert: Path, corpus: Path, tmp_path: Path) -> None:
    second = make_run(tiny_hubert, tmp_path / "second", 2)
    grid = ("--strategies", "linear,ties", "--set", "density=0.5,1.0", "--alphas", "0.5", "--greedy")
    arguments = ("--tuned", second, "--base", tiny_hubert, *grid, "--json", "--quiet")
    done = sweep(run, corpus, tmp_path / "report", *arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [point["label"] for point in found["points"]] == [
        "base",
        "pr",
        "second",
        "linear α=0.5",
        "ties density=0.5 α=0.5",
        "ties density=1 α=0.5",
        "soup of pr + second",
    ]
    assert done.stderr == ""
    del found["output"]
    assert json.loads((tmp_path / "report" / "results.json").read_text()) == found


def test_a_grid_of_yaml(run: Path, corpus: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text("- {alphas: [0.5], groups: [lower]}\n- {strategies: [slerp], settings: {t: [0.25]}}\n")
    done = sweep(run, corpus, tmp_path / "report", "--grid", grid)
    assert done.exit_code == 0, done.output
    assert "linear lower=0.5" in done.stdout
    assert "slerp t=0.25" in done.stdout
    beside = sweep(run, corpus, tmp_path / "other", "--grid", grid, "--alphas", "0.5", "--groups", "cnn")
    assert beside.exit_code == 2
    assert f"Error: a grid says all of it; put --alphas, --groups into {grid}" in beside.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--alphas", "0.5,1.5"), 2, "Error: linear α=1.5: "),
        (("--alphas", ""), 2, "Error: expected alphas such as 0:1:0.25 or 0,0.25,1, came '': give at least one"),
        (("--strategies", ","), 2, "Error: expected at least one value of strategies to try, came none"),
        (("--set", "density"), 2, "Error: expected --set NAME=VALUES, came 'density'"),
        (("--set", "weight=1", "--set", "weight=2"), 2, "Error: expected --set weight once, came 'weight=2' again"),
        (("--set", "weight=,"), 2, "Error: expected at least one value of weight to try, came none"),
        (("--tasks", "kz"), 2, "Error: expected a task, came 'kz'; there are: asr, "),
        (("--seeds", "a"), 2, "Error: expected a whole number for --seeds, came 'a'"),
        (("--steps", "ks=5,ks=6"), 2, "Error: expected each task once for --steps, came 'ks=5,ks=6'"),
        (("--dask", "tcp://127.0.0.1:x"), 1, "Error: expected a Dask scheduler at 'tcp://127.0.0.1:x', came no answer"),
        (("--greedy",), 2, "Error: expected several tuned encoders for a greedy soup, came one"),
    ],
)
def test_bad_input_is_one_line(
    run: Path, corpus: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = sweep(run, corpus, tmp_path / "report", *arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1
    assert not (tmp_path / "report").exists()


def test_something_to_merge_is_wanted(corpus: Path, tmp_path: Path) -> None:
    done = invoke("--data", corpus, "--tasks", "ks", "--output", tmp_path / "report")
    assert done.exit_code == 2
    assert "Error: expected a RUN or --tuned, came neither" in done.stderr


def test_a_wrong_base_is_refused_before_anything_is_trained(run: Path, corpus: Path, tmp_path: Path) -> None:
    save_tiny_encoder("hubert", tmp_path / "other", 9)
    arguments = ("--base", tmp_path / "other", "--tuned", run / "encoder", "--data", corpus, "--tasks", "ks", *FEW)
    refused = invoke(*arguments, "--alphas", "0.5", "--output", tmp_path / "report")
    assert refused.exit_code == 3
    (line,) = refused.stderr.splitlines()
    assert line.startswith(
        f"Error: pr: expected the base that {run / 'encoder'} was tuned from, came {tmp_path / 'other'}: "
    )
    assert line.endswith("name the right base, or go on with --force (force: true in a recipe)")
    assert not (tmp_path / "report").exists()
    forced = invoke(*arguments, "--alphas", "0.5", "--force", "--output", tmp_path / "report")
    assert forced.exit_code == 0, forced.output
