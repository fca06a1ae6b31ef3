"""The generator writes clips and manifests together, replaces earlier ones, and gives the committed clips again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy
import pytest
import soundfile
from click.testing import CliRunner
from numpy import float32
from numpy.typing import NDArray

from mergekit_speech.demo import CLIPS
from mergekit_speech.demo.generate import generate, main, rows
from mergekit_speech.demo.script import Utterance, utterances
from mergekit_speech.demo.sound import SAMPLE_RATE, synthesiser_version
from mergekit_speech.errors import MsmError

SCRIPT = [*utterances()[:2], *utterances()[-8:]]


def hum(utterance: Utterance) -> NDArray[float32]:
    """A tenth of a second a word."""
    return (0.3 * numpy.sin(numpy.arange(1600 * len(utterance.words)) / 10)).astype(float32)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_row_holds_what_the_task_needs() -> None:
    phrase = next(utterance for utterance in utterances() if dict(utterance.splits).get("pr") == "test")
    described = rows(phrase, 0.98765)
    assert set(described) == {"pr", "sid"}
    assert list(described["pr"]) == ["id", "path", "duration", "speaker", "phones", "text", "split"]
    assert described["pr"]["text"] == " ".join(phrase.words).upper()
    assert described["pr"]["duration"] == 0.9877
    assert described["pr"]["split"] == "test"
    assert described["sid"]["label"] == phrase.voice.speaker
    assert described["sid"]["split"] == "train"


def test_clips_and_manifests_are_written(tmp_path: Path) -> None:
    assert generate(SCRIPT, tmp_path / "clips", hum) == len(SCRIPT)
    listed = {
        row["path"]: row["duration"]
        for manifest in (tmp_path / "clips").glob("*/manifest.jsonl")
        for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    }
    assert len(listed) == len(SCRIPT)
    for path, duration in listed.items():
        assert soundfile.info(tmp_path / "clips" / path).frames == pytest.approx(duration * SAMPLE_RATE, abs=1)


def test_the_same_script_gives_the_same_bytes_and_drops_old_clips(tmp_path: Path) -> None:
    generate(SCRIPT, tmp_path / "first", hum)
    generate(utterances()[2:5], tmp_path / "second", hum)
    generate(SCRIPT, tmp_path / "second", hum)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    def fail(utterance: Utterance) -> NDArray[float32]:
        raise MsmError("no voice today")

    generate(SCRIPT, tmp_path / "clips", hum)
    (tmp_path / "clips" / "README.md").write_text("stays", encoding="utf-8")
    before = contents(tmp_path)
    with pytest.raises(MsmError, match="no voice today"):
        generate(SCRIPT, tmp_path / "clips", fail)
    assert contents(tmp_path) == before


def test_the_script_reports_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--output", str(tmp_path / "clips")])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: expected the program 'espeak-ng' on PATH")
    assert result.stderr.count("\n") == 1


def test_the_synthesiser_gives_the_committed_clips_again(tmp_path: Path) -> None:
    made_with = json.loads((CLIPS / "origin.json").read_text(encoding="utf-8"))["synthesiser"]
    if shutil.which("espeak-ng") is None or synthesiser_version() != made_with:
        pytest.skip(f"making the clips anew needs espeak-ng on PATH, in the version that made them: {made_with}")
    generate(SCRIPT, tmp_path)
    for clip in (tmp_path / "audio").iterdir():
        anew, _ = soundfile.read(clip)
        committed, _ = soundfile.read(CLIPS / "audio" / clip.name)
        assert anew.shape == committed.shape
        assert numpy.corrcoef(anew, committed)[0, 1] > 0.99
