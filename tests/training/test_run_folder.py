"""The folder of a run: when it may be taken, and its record."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from mergekit_speech.errors import CheckpointError, OutputError, SettingsError
from mergekit_speech.training.run_folder import RunFolder, read_json, write_json

RECORD: dict[str, Any] = {"kind": "pretrain", "settings": {"steps": 5, "rounds": (1, 2)}, "versions": {"torch": "2"}}


def opened(path: Path) -> RunFolder:
    folder = RunFolder(path)
    folder.open(RECORD, resume=False, overwrite=False)
    return folder


def refuse(folder: RunFolder, *, resume: bool = False, overwrite: bool = False, record: Any = None) -> str:
    with pytest.raises((OutputError, SettingsError, CheckpointError)) as caught:
        folder.open(record or RECORD, resume=resume, overwrite=overwrite)
    return str(caught.value)


def fill_up(self: Path, *arguments: Any, **named: Any) -> int:
    self.touch()
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_places_of_the_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    places = [folder.encoder, folder.head, folder.record, folder.checkpoints, folder.metrics, folder.events]
    expected = ["encoder", "head", "record.json", "checkpoints", "metrics.jsonl", "tensorboard"]
    assert [place.relative_to(tmp_path).as_posix() for place in places] == expected


def test_new_run_writes_its_record(tmp_path: Path) -> None:
    folder = opened(tmp_path / "deep" / "run")
    assert read_json(folder.record) == {**RECORD, "settings": {"steps": 5, "rounds": [1, 2]}}


def test_results_are_added_to_the_record(tmp_path: Path) -> None:
    folder = opened(tmp_path / "run")
    folder.finish({"valid": {"per": 0.5}})
    assert read_json(folder.record)["kind"] == "pretrain"
    assert read_json(folder.record)["valid"] == {"per": 0.5}
    assert [path.name for path in folder.path.iterdir()] == ["record.json"]


def test_run_that_stands_there(tmp_path: Path) -> None:
    folder = opened(tmp_path / "run")
    assert refuse(folder) == (
        f"{folder.path} exists: continue that run with --resume, replace it with --overwrite, or choose another"
    )


def test_the_run_that_is_replaced_is_kept_until_the_new_one_is_finished(tmp_path: Path) -> None:
    folder = opened(tmp_path / "run")
    folder.metrics.write_text("old")
    with folder.held():
        folder.open({"kind": "finetune"}, resume=False, overwrite=True)
        assert read_json(folder.record) == {"kind": "finetune"}
        assert names(folder.path) == {"lock", "record.json", "replaced"}
        assert names(folder.replaced.path) == {"metrics.jsonl", "record.json"}
        folder.finish({"valid": {}})
    assert names(folder.path) == {"record.json"}
    assert read_json(folder.record) == {"kind": "finetune", "valid": {}}


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("resume", [True, False])
def test_folder_of_something_else_is_never_touched(tmp_path: Path, overwrite: bool, resume: bool) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    expected = f"{tmp_path} holds files but no record.json, so it is no run: choose another folder"
    assert refuse(RunFolder(tmp_path), overwrite=overwrite, resume=resume) == expected
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    assert refuse(RunFolder(tmp_path / "run")) == f"{tmp_path}/run is a file: choose another folder for the run"


def test_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_text", fill_up)
    assert refuse(RunFolder(tmp_path / "run")) == (
        f"cannot write {tmp_path}/run ([Errno 28] No space left on device): make room or choose another folder"
    )


def test_full_disk_keeps_the_record_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = opened(tmp_path / "run")
    monkeypatch.setattr(Path, "write_text", fill_up)
    with pytest.raises(OutputError) as caught:
        folder.finish({"valid": {}})
    assert str(caught.value) == (
        f"cannot write {folder.record} ([Errno 28] No space left on device): free some space, then use --resume"
    )
    assert read_json(folder.record)["kind"] == "pretrain"
    assert [path.name for path in folder.path.iterdir()] == ["record.json"]


def test_resuming_starts_where_there_is_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(RECORD, resume=True, overwrite=False)
    assert folder.record.is_file()


def test_resuming_takes_results_and_other_versions_but_no_other_settings(tmp_path: Path) -> None:
    folder = opened(tmp_path / "run")
    folder.finish({"valid": {"per": 0.5}})
    folder.open({**RECORD, "versions": {"torch": "3"}}, resume=True, overwrite=False)
    assert read_json(folder.record)["valid"] == {"per": 0.5}
    assert refuse(folder, resume=True, record={**RECORD, "settings": {"steps": 6}}) == (
        f"{folder.path} was started with another settings: it was {{'steps': 5, 'rounds': [1, 2]}}, now it is"
        " {'steps': 6}; resume with what it was started with, or use another --output"
    )


def test_resuming_takes_a_base_that_was_moved_but_no_other_base(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    base = {"path": "/disk/base", "digest": "blake3:1"}
    folder.open({**RECORD, "base": base}, resume=False, overwrite=False)
    folder.open({**RECORD, "base": {**base, "path": "/new/base"}}, resume=True, overwrite=False)
    text = refuse(folder, resume=True, record={**RECORD, "base": {**base, "digest": "blake3:2"}})
    assert text.startswith(f"{folder.path} was started with another base: it was {{'path': '/disk/base'")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", ": not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)): the file"),
        (b"\xff", ": not JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte): the file"),
        (b"[1]", ": expected a JSON object, got [1]"),
    ],
)
def test_damaged_record(tmp_path: Path, content: bytes, text: str) -> None:
    folder = opened(tmp_path / "run")
    folder.record.write_bytes(content)
    assert refuse(folder, resume=True).startswith(f"{folder.record}{text}")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_json(tmp_path / "record.json")
    assert str(caught.value) == f"{tmp_path}/record.json does not exist: expected a run folder with its record"


def test_written_file_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"word": "θ", "figures": [1, 0.5, None]})
    assert read_json(tmp_path / "a.json") == {"word": "θ", "figures": [1, 0.5, None]}
