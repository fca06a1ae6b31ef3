"""Two processes in one run: the second is refused, and a dead one's lock is not."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

import pytest

from mergekit_speech.errors import OutputError
from mergekit_speech.training.run_folder import RunFolder
from mergekit_speech.training.run_lock import LOCK, OWNER, locked


def test_the_second_is_refused_with_the_first_ones_name_and_the_third_is_not(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(OutputError) as caught, locked(tmp_path):
            pass
        assert str(caught.value) == (
            f"{tmp_path} is being written by process {os.getpid()} on {socket.gethostname()}:"
            " wait for it to end, or choose another folder"
        )
        assert (tmp_path / LOCK).is_file()
    with locked(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_dead_processs_lock_counts_for_nothing(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with locked(tmp_path):
            os.kill(os.getpid(), 9)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    assert (tmp_path / LOCK).read_text() == f"process {child} on {socket.gethostname()}"
    with locked(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_run_is_made_held_and_left_clean(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "run")
    with folder.held():
        folder.open({"kind": "finetune"}, resume=False, overwrite=False)
        with pytest.raises(OutputError, match="is being written by process"), RunFolder(folder.path).held():
            pass
    assert [path.name for path in folder.path.iterdir()] == ["record.json"]
    (folder.path / "encoder").mkdir()
    with folder.held():
        folder.open({"kind": "finetune"}, resume=False, overwrite=True)
        assert sorted(path.name for path in folder.path.iterdir()) == [LOCK, "record.json", "replaced"]


def test_what_a_process_killed_before_its_record_left_is_a_free_folder(tmp_path: Path) -> None:
    for name in (LOCK, "record.json.partial"):
        (tmp_path / name).write_text("")
    folder = RunFolder(tmp_path)
    with folder.held():
        folder.open({"kind": "finetune"}, resume=True, overwrite=False)
    assert folder.record.is_file()


def test_nothing_is_left_in_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    folder = RunFolder(tmp_path)
    with pytest.raises(OutputError, match="so it is no run"), folder.held():
        folder.open({"kind": "finetune"}, resume=False, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expected = r"cannot write .*file/run \(.*\): make room or choose another folder"
    with pytest.raises(OutputError, match=expected), RunFolder(tmp_path / "file" / "run").held():
        pass


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that locks nothing."""

    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_of_the_file_system_the_second_is_refused_all_the_same(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(OutputError) as caught, locked(tmp_path):
            pass
        assert str(caught.value) == (
            f"{tmp_path} is being written by process {os.getpid()} on {socket.gethostname()}:"
            f" wait for it to end, or delete {tmp_path}/{OWNER} if that process has ended"
        )
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path):
        pass


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_dead_process_of_this_machine_counts_for_nothing(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with locked(tmp_path):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert (tmp_path / OWNER).read_text() == f"process {child} on {socket.gethostname()}"
    folder = RunFolder(tmp_path)
    with folder.held():
        folder.open({"kind": "finetune"}, resume=False, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("left", ["", "process 1 on elsewhere", f"process 1 on {socket.gethostname()}"])
def test_without_locks_what_may_be_alive_is_believed(tmp_path: Path, left: str) -> None:
    (tmp_path / OWNER).write_text(left)
    with pytest.raises(OutputError, match="wait for it to end, or delete"), locked(tmp_path):
        pass
    assert (tmp_path / OWNER).read_text() == left
