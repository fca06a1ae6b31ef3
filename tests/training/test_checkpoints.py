"""Checkpoints: whole or as they were before, whatever happens while one is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from mergekit_speech.errors import CheckpointError, OutputError
from mergekit_speech.training.checkpoints import Checkpoints, DiskCheckpoints, MemoryCheckpoints

BEFORE = {"step": 1, "weights": torch.ones(3)}
AFTER = {"step": 2, "weights": torch.zeros(3)}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def on_disk(tmp_path: Path) -> DiskCheckpoints:
    checkpoints = DiskCheckpoints(tmp_path)
    checkpoints.save("last", BEFORE)
    return checkpoints


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_state_comes_back_and_later_changes_do_not_reach_it(kind: str, tmp_path: Path) -> None:
    checkpoints: Checkpoints = MemoryCheckpoints() if kind == "memory" else DiskCheckpoints(tmp_path / "new")
    assert checkpoints.load("last") is None
    weights = torch.ones(3)
    checkpoints.save("last", {"weights": weights})
    weights.zero_()
    for _ in range(2):
        state = checkpoints.load("last")
        assert state is not None
        assert state["weights"].tolist() == [1, 1, 1]
        state["weights"].zero_()
    assert checkpoints.load("best") is None


def test_newer_state_replaces_the_older(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    on_disk.save("last", AFTER)
    assert (on_disk.load("last") or {})["step"] == 2
    assert files(tmp_path) == ["last.1.pt", "last.pt"]


def test_only_the_one_before_the_last_is_kept(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    for state in (AFTER, {"step": 3}):
        on_disk.save("best", state)
        on_disk.save("last", state)
    assert files(tmp_path) == ["best.pt", "last.1.pt", "last.pt"]
    assert torch.load(tmp_path / "last.1.pt")["step"] == 2


def test_full_disk_keeps_the_state_from_before(
    on_disk: DiskCheckpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(state: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", fill_up)
    with pytest.raises(OutputError) as caught:
        on_disk.save("last", AFTER)
    assert str(caught.value) == (
        f"cannot write checkpoint {tmp_path}/last.pt ([Errno 28] No space left on device):"
        " free some space, then use --resume"
    )
    assert files(tmp_path) == ["last.pt"]
    assert (on_disk.load("last") or {})["step"] == 1


def test_torchs_own_word_for_a_full_disk_becomes_one_line(
    on_disk: DiskCheckpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(state: Any, file: Any) -> None:
        raise RuntimeError("PytorchStreamWriter failed\nwriting file data/0")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OutputError, match=r"\(PytorchStreamWriter failed writing file data/0\): free some space"):
        on_disk.save("last", AFTER)


def test_folder_that_is_gone(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    (tmp_path / "last.pt").unlink()
    tmp_path.rmdir()
    with pytest.raises(OutputError, match=r"cannot write checkpoint .*last\.pt \(\[Errno 2\] No such file"):
        on_disk.save("last", AFTER)


def test_death_before_the_rename_keeps_the_state_from_before(
    on_disk: DiskCheckpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        on_disk.save("last", AFTER)
    assert (DiskCheckpoints(tmp_path).load("last") or {})["step"] == 1


def test_what_a_killed_process_left_is_passed_over(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    (tmp_path / "last.pt.partial").write_bytes((tmp_path / "last.pt").read_bytes()[:100])
    again = DiskCheckpoints(tmp_path)
    assert (again.load("last") or {})["step"] == 1
    again.save("last", AFTER)
    assert files(tmp_path) == ["last.1.pt", "last.pt"]


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.95])
def test_damaged_file(on_disk: DiskCheckpoints, tmp_path: Path, kept: float) -> None:
    path = tmp_path / "last.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError) as caught:
        on_disk.load("last")
    assert str(caught.value) == f"checkpoint {path} is damaged: delete the run and start it again"


def test_file_of_something_else(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_text("no checkpoint at all")
    with pytest.raises(CheckpointError, match="is damaged: delete the run and start it again"):
        on_disk.load("last")


@pytest.mark.parametrize("kept", [0, 0.5, None], ids=["empty", "half", "gone"])
def test_checkpoint_cut_short_falls_back_to_the_one_before(
    on_disk: DiskCheckpoints, tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: float | None
) -> None:
    on_disk.save("last", AFTER)
    path = tmp_path / "last.pt"
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert (on_disk.load("last") or {})["step"] == 1
    state = "gone" if kept is None else "damaged"
    assert caplog.messages == [f"checkpoint {path} is {state}: going on from the one before it, {tmp_path}/last.1.pt"]


def test_both_checkpoints_damaged(on_disk: DiskCheckpoints, tmp_path: Path) -> None:
    on_disk.save("last", AFTER)
    for name in ("last.pt", "last.1.pt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last\.1\.pt is damaged: delete the run and start it again"):
        on_disk.load("last")
