"""Data and folders that a run cannot be made of: one line each, and a run that stands there loses nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.speech.audio import AudioStore

Row = dict[str, Any]


@pytest.fixture(scope="module")
def run(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on ks, which nothing below may harm."""
    folder = tmp_path_factory.mktemp("runs") / "ks"
    result = _finetune(tiny_hubert, "ks", toy, folder)
    assert result.exit_code == 0, result.output
    return folder


def _finetune(base: Path, task: str, data: Path, output: Path, *options: str) -> Result:
    arguments = ["finetune", base, "--task", task, "--data", data, "--output", output, "--steps", 2, "--batch", 4]
    return CliRunner().invoke(main, [*map(str, arguments), *options])


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _edit(task: str, change: Callable[[list[Row]], list[Row]]) -> Callable[[Path], None]:
    def edit(data: Path) -> None:
        path = data / task / "manifest.jsonl"
        rows = change([json.loads(line) for line in path.read_text().splitlines()])
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return edit


def _without_validation(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["split"] != "valid"]


def _half_labelled(rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in row if number % 2 or name != "label"} for number, row in enumerate(rows)]


def _strange_phone(rows: list[Row]) -> list[Row]:
    return [{**row, "phones": ["HH", "ZH"]} if row["id"] == "valid1" else row for row in rows]


def _strange_letter(data: Path) -> None:
    (data / "asr").mkdir()
    rows = [json.loads(line) for line in (data / "ks" / "manifest.jsonl").read_text().splitlines()]
    texts = ({**row, "text": "LÖW" if row["id"] == "valid1" else "LOW OR HIGH"} for row in rows)
    (data / "asr" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))


def _no_audio(data: Path) -> None:
    for path in data.glob("*.wav"):
        path.unlink()


def _no_validation_audio(data: Path) -> None:
    (data / "valid3.wav").unlink()


@pytest.mark.parametrize("option", ["--overwrite", "--resume"])
@pytest.mark.parametrize(
    ("task", "spoil", "words"),
    [
        ("ks", _edit("ks", _without_validation), ("no clip has split 'valid'", "needs train, valid and test")),
        ("ks", _edit("ks", _half_labelled), ("manifest.jsonl:1: missing field 'label' (10 of 20 clips lack it)",)),
        (
            "pr",
            _edit("pr", _strange_phone),
            ("label 'ZH' of valid clip 'valid1' does not occur in the training split", "drop the clip"),
        ),
        (
            "asr",
            _strange_letter,
            ("label 'Ö' of valid clip 'valid1' does not occur in the training split", "drop the clip"),
        ),
        ("ks", _no_audio, ("manifest.jsonl:1: clip ", "train0.wav does not exist", "(20 of 20 clips have no file)")),
        (
            "ks",
            _no_validation_audio,
            ("manifest.jsonl:16: clip ", "valid3.wav does not exist", "(1 of 20 clips have no file)"),
        ),
    ],
    ids=[
        "no validation split",
        "half the labels",
        "strange phone",
        "strange letter",
        "no audio",
        "no audio of one validation clip",
    ],
)
def test_data_that_cannot_be_used_is_one_line_and_leaves_the_run_that_stands_there(
    task: str,
    spoil: Callable[[Path], None],
    words: tuple[str, ...],
    option: str,
    run: Path,
    tiny_hubert: Path,
    toy: Path,
    tmp_path: Path,
) -> None:
    data = shutil.copytree(toy, tmp_path / "data")
    spoil(data)
    before = _digests(run)
    result = _finetune(tiny_hubert, task, data, run, option)
    assert result.exit_code == 3, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert all(word in line for word in words), line
    assert "Traceback" not in result.output
    assert _digests(run) == before


def test_joint_run_finds_out_before_it_replaces_anything_that_audio_is_gone(
    run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(toy, tmp_path / "data")
    _no_validation_audio(data)
    before = _digests(run)
    result = _finetune(tiny_hubert, "ks", data, run, "--task", "pr", "--overwrite")
    assert result.exit_code == 3, result.output
    assert "valid3.wav does not exist" in result.stderr
    assert _digests(run) == before


def test_unlabelled_run_finds_out_before_it_hears_anything_that_audio_is_gone(
    run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shutil.copytree(toy, tmp_path / "data")
    _no_validation_audio(data)
    monkeypatch.setattr(AudioStore, "read", lambda *_: pytest.fail("a recording was read"))
    before = _digests(run)
    arguments = ["finetune", tiny_hubert, "--unlabelled", "ks", "--data", data, "--output", run, "--overwrite"]
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 3, result.output
    assert "valid3.wav does not exist (1 of 20 clips have no file)" in result.stderr
    assert _digests(run) == before


def test_unlabelled_run_does_not_take_up_that_of_a_task(run: Path, tiny_hubert: Path, toy: Path) -> None:
    before = _digests(run)
    arguments = ["finetune", tiny_hubert, "--unlabelled", "ks", "--data", toy, "--output", run, "--resume"]
    result = CliRunner().invoke(main, [*map(str, arguments), "--clusters", "4", "--steps", "2"])
    assert result.exit_code == 2, result.output
    assert "was started with another task: it was 'ks', now it is 'unlabelled'" in result.stderr
    assert _digests(run) == before


def test_run_that_an_undecodable_clip_ends_leaves_the_one_that_it_was_to_replace(
    run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(toy, tmp_path / "data")
    for path in data.glob("train*.wav"):
        path.write_bytes(b"RIFF")
    before = _digests(run)
    result = _finetune(tiny_hubert, "ks", data, run, "--overwrite")
    assert result.exit_code == 3, result.output
    assert "cannot be decoded" in result.stderr
    assert _digests(run) == before


def test_run_of_another_task_is_not_taken_up(run: Path, tiny_hubert: Path, toy: Path) -> None:
    before = _digests(run)
    result = _finetune(tiny_hubert, "pr", toy, run, "--resume")
    assert result.exit_code == 2
    assert "was started with another task: it was 'ks', now it is 'pr'" in result.stderr
    assert _digests(run) == before
