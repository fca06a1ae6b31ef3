"""Reading a run's record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.runs import encoder_folder, recorded_base, recorded_digest


def make_run(folder: Path, base: Path, digest: str = "blake3:1") -> Path:
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps({"base": {"path": str(base), "digest": digest}, "task": "pr"}))
    return folder


def test_run_names_its_base_and_encoder(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tmp_path)
    assert recorded_base([run]) == (tmp_path, "blake3:1")
    assert recorded_digest(run) == "blake3:1"
    with pytest.raises(CheckpointError, match=r"the run '.*run' has no encoder yet: finish it with --resume"):
        encoder_folder(run)
    (run / "encoder").mkdir()
    assert encoder_folder(run) == run / "encoder"
    assert encoder_folder(tmp_path) == tmp_path


def test_runs_of_one_base(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", tmp_path), make_run(tmp_path / "b", tmp_path)]
    assert recorded_base(runs) == (tmp_path, "blake3:1")


def test_runs_of_different_bases(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", tmp_path), make_run(tmp_path / "b", tmp_path, "blake3:2")]
    with pytest.raises(
        CheckpointError, match=r"expected runs of one base, came .*a from .*, .*b from .*; merge runs of"
    ):
        recorded_base(runs)


def test_base_that_is_gone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tmp_path / "gone")
    with pytest.raises(
        CheckpointError, match=r"the base '.*gone' that .*record.json names is gone; say where .* --base"
    ):
        recorded_base([run])


def test_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"expected a run with record.json, came '.*', which has none; give a folder"
    ):
        recorded_base([tmp_path])


def test_nothing_given() -> None:
    with pytest.raises(CheckpointError, match="expected a base or a run, came neither; name the base"):
        recorded_base([])


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"base": "x"}', '{"base": {"path": "x"}}'])
def test_malformed_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"expected base.path and base.digest in .*record.json, came .*; give --base"
    ):
        recorded_base([tmp_path])


def test_record_of_the_wrong_kind(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"base": {"path": 3, "digest": null}}')
    with pytest.raises(CheckpointError, match=r"expected text in base.path and base.digest of .*, came \{'path': 3"):
        recorded_base([tmp_path])
