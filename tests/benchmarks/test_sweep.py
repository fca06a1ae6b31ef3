"""The benchmark of sweeps: the command that it runs."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.sweep import ALPHAS, spell_sweep
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
