"""Resuming: a run that was broken anywhere ends in the very bits of the run that was not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from mergekit_speech.errors import CheckpointError, DataError, Interrupted
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import DiskCheckpoints
from mergekit_speech.training.loop import Outcome
from tests.training.toy import Batch, Line, Watcher, build, collate, crash, metrics, press_ctrl_c

SETTINGS: dict[str, Any] = {"steps": 11, "accumulate": 2, "evaluate_every": 3, "weight_decay": 0.01}
Run = tuple[list[float], Outcome, list[dict[str, Any]]]
Break = Callable[[int], Callable[[int], None]]


def run(folder: Path, *observers: Watcher, resume: bool = True) -> Run:
    learner = Line()
    outcome = build(folder, *observers, learner=learner, **SETTINGS).run(resume=resume)
    return learner.weights(), outcome, metrics(folder)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("unbroken"), resume=False)


@pytest.mark.parametrize("at", [1, 3, 5, 6, 10])
@pytest.mark.parametrize("broken", [crash, press_ctrl_c], ids=["crash", "ctrl-c"])
def test_broken_run_ends_in_the_same_bits(tmp_path: Path, unbroken: Run, broken: Break, at: int) -> None:
    with pytest.raises((ConnectionError, Interrupted)):
        run(tmp_path, Watcher(broken(at)))
    torch.manual_seed(99)
    assert run(tmp_path) == unbroken


def test_run_broken_again_and_again(tmp_path: Path, unbroken: Run) -> None:
    for broken in (press_ctrl_c(2), crash(4), press_ctrl_c(4), crash(9), press_ctrl_c(10)):
        with pytest.raises((ConnectionError, Interrupted)):
            run(tmp_path, Watcher(broken))
    assert run(tmp_path) == unbroken


def test_resuming_goes_on_behind_the_last_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Watcher(press_ctrl_c(5)))
    watcher = Watcher()
    run(tmp_path, watcher)
    assert watcher.starts == [(5, 11)]
    assert [event.step for event in watcher.steps] == list(range(6, 12))


def test_finished_run_is_not_trained_again(tmp_path: Path, unbroken: Run) -> None:
    run(tmp_path)
    watcher = Watcher()
    assert run(tmp_path, watcher) == unbroken
    assert watcher.steps == []


def test_without_resume_a_run_starts_over(tmp_path: Path, unbroken: Run) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Watcher(press_ctrl_c(5)))
    watcher = Watcher()
    assert run(tmp_path, watcher, resume=False) == unbroken
    assert watcher.starts == [(0, 11)]


def test_line_that_a_killed_process_left_half_written_is_dropped(tmp_path: Path, unbroken: Run) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Watcher(press_ctrl_c(5)))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    assert run(tmp_path) == unbroken


def test_damaged_checkpoint_costs_steps_but_no_bit(tmp_path: Path, unbroken: Run) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Watcher(press_ctrl_c(5)))
    path = tmp_path / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:200])
    watcher = Watcher()
    assert run(tmp_path, watcher) == unbroken
    assert watcher.starts == [(3, 11)]


def test_damaged_checkpoint_with_none_before_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Watcher(press_ctrl_c(2)))
    path = tmp_path / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"checkpoint .*last\.pt is damaged: delete the run and start it again"):
        run(tmp_path)


def test_best_checkpoint_that_is_gone(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "checkpoints" / "best.pt").unlink()
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path)
    assert str(caught.value) == "the best checkpoint of the run is gone: delete the run and start it again"


def test_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    def spoil(clips: Sequence[Clip], number: int) -> Batch:
        points, heights = collate(clips, number)
        return points, heights * (math.nan if number == 6 else 1)

    with pytest.raises(DataError, match=r"^the loss is nan at step 7, on clips \d, \d"):
        build(tmp_path, collate=spoil).run()
    for name in ("last", "best"):
        state = DiskCheckpoints(tmp_path / "checkpoints").load(name) or {}
        assert state["step"] == 4
        assert all(bool(tensor.isfinite().all()) for tensor in state["learner"].values())
    build(tmp_path).run(resume=True)
