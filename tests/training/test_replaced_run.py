"""A run that is to replace another fails at some point: nothing of the other is lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.training.replaced_run import ReplacedRun
from mergekit_speech.training.run_folder import RunFolder, read_json


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A finished run called "old"."""
    folder = RunFolder(tmp_path / "run")
    write(folder, "old")
    return folder


def write(folder: RunFolder, name: str, *, overwrite: bool = False) -> None:
    """Starts a run and writes files of it."""
    folder.open({"name": name}, resume=False, overwrite=overwrite)
    (folder.path / "encoder").mkdir()
    (folder.path / "encoder" / "weights").write_text(name)


def fail(folder: RunFolder, *checkpoints: str) -> None:
    """Replaces the run by one that breaks, with these checkpoints written."""
    with pytest.raises(DataError):
        _break(folder, checkpoints)


def _break(folder: RunFolder, checkpoints: Sequence[str]) -> None:
    with folder.held():
        write(folder, "new", overwrite=True)
        for name in checkpoints:
            (folder.path / name).parent.mkdir(parents=True)
            (folder.path / name).touch()
        raise DataError("a clip cannot be decoded")


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


OLD = {"record.json": '{\n  "name": "old"\n}\n', "encoder/weights": "old"}


def test_failing_before_the_first_checkpoint_brings_the_old_run_back(folder: RunFolder) -> None:
    fail(folder)
    assert files(folder.path) == OLD


@pytest.mark.parametrize("checkpoint", ["checkpoints/last.pt", "round-1/checkpoints/last.pt"])
def test_failing_later_keeps_both_and_says_where(
    checkpoint: str, folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fail(folder, checkpoint)
    where = folder.path / "replaced"
    assert caplog.messages == [f"the run that was to be replaced is kept in {where} until the new one ends"]
    assert read_json(folder.record) == {"name": "new"}
    assert files(where) == OLD


def test_another_attempt_drops_the_failed_one_and_keeps_the_old(folder: RunFolder) -> None:
    fail(folder, "checkpoints/last.pt")
    with folder.held():
        write(folder, "newer", overwrite=True)
        assert not folder.checkpoints.exists()
        assert files(folder.replaced.path) == OLD
        folder.finish({})
    assert files(folder.path)["encoder/weights"] == "newer"
    assert not folder.replaced.path.exists()


@pytest.mark.parametrize("moved", [["record.json"], ["encoder"], ["record.json", "encoder"]])
def test_process_killed_while_it_put_the_run_aside(folder: RunFolder, moved: list[str]) -> None:
    moving = folder.path / "replaced.partial"
    moving.mkdir()
    for name in moved:
        (folder.path / name).rename(moving / name)
    with folder.held():
        assert {name: text for name, text in files(folder.path).items() if name != "lock"} == OLD


@pytest.mark.parametrize("left", [[], ["encoder"]])
def test_process_killed_before_the_new_record_or_while_bringing_back(folder: RunFolder, left: list[str]) -> None:
    ReplacedRun(folder.path).put_aside()
    for name in left:
        (folder.path / name).mkdir()
        (folder.path / name / "weights").write_text("new")
    with folder.held():
        assert {name: text for name, text in files(folder.path).items() if name != "lock"} == OLD
