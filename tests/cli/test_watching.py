"""How a bench goes, on the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from mergekit_speech.cli._watching import BenchWatcher
from mergekit_speech.cli.output import Output
from mergekit_speech.training.settings import Goal
from tests.superb.corpus import result

GOAL = Goal("acc", lower_is_better=False)


def watched() -> tuple[BenchWatcher, Progress]:
    progress = Progress(console=Console(file=io.StringIO()))
    return BenchWatcher(Output(json=False, quiet=False, debug=False, stdout=io.StringIO()), progress), progress


def lines(progress: Progress) -> list[tuple[str, float, float | None]]:
    return [(task.description, task.completed, task.total) for task in progress.tasks]


def test_one_line_for_all_probes_and_one_for_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    watcher, progress = watched()
    watcher.encoding("base", 3)
    watcher.encoded()
    assert lines(progress) == [("base: hidden states", 1, 3)]
    (line,) = watcher.probing("base", "ks", 0, GOAL)
    line.start(0, 8)
    assert lines(progress) == [("base: ks, seed 0", 0, 8)]
    watcher.probed(result("base", "ks", 0, acc=0.5, uar=0.25), 1, 4, resumed=False)
    watcher.probing("base", "ks", 1, GOAL)
    assert lines(progress) == [("probes", 1, 4)]
    watcher.probed(result("base", "ks", 1, acc=0.75), 2, 4, resumed=True)
    assert lines(progress) == [("probes", 2, 4)]
    assert capsys.readouterr().err.splitlines() == [
        "1/4  base: ks, seed 0: acc 50.00 %, uar 25.00 % (step 4, 2 s)",
        "2/4  base: ks, seed 1: acc 75.00 % (taken over)",
    ]


def test_lack_of_memory_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    watched()[0].crowded("base", "pr", 7)
    assert capsys.readouterr().err == (
        "base: hidden states of 7 clips of pr do not fit into --cache and are computed again each time, which is slow\n"
    )
