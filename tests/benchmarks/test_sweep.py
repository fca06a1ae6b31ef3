"""The benchmark of sweeps: the command that it runs, and what it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.sweep import ALPHAS, anonymous, keep, spell_sweep
from mergekit_speech.cli.sweep import command
from mergekit_speech.sweeping.alphas import read_alphas


def test_the_command_is_five_alphas_four_tasks_and_three_seeds() -> None:
    _, *arguments = spell_sweep(Path("run"), Path("data"), Path("report"))
    params = command.make_context("sweep", arguments, resilient_parsing=False).params
    assert isinstance(command, click.Command)
    assert params["runs"] == (Path("run"),)
    assert params["tasks"] == "pr,ks,sid,er"
    assert params["seeds"] == "0,1,2"
    assert len(read_alphas(ALPHAS)) == 5


def test_results_say_nothing_of_where_folders_lay(tmp_path: Path) -> None:
    report, names = tmp_path / "report", {tmp_path / "data": "DATA"}
    report.mkdir()
    (report / "results.json").write_text(json.dumps({"data": str(tmp_path / "data")}))
    keep(report, tmp_path / "kept", names, {"commands": [anonymous(f"msm --data {tmp_path / 'data'}", names)]})
    assert json.loads((tmp_path / "kept" / "results.json").read_text()) == {"data": "DATA"}
    assert json.loads((tmp_path / "kept" / "origin.json").read_text()) == {"commands": ["msm --data DATA"]}
