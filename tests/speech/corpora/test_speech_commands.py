"""Speech Commands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import soundfile

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, speech_commands


def test_words_unknown_ones_and_silence_with_the_test_archive(tmp_path: Path) -> None:
    prepared("speech_commands", speech_commands(tmp_path / "in"), tmp_path / "data")
    found = Counter((row["split"], row["label"]) for row in rows(tmp_path / "data", "ks"))
    assert found == {
        **{(split, label): 1 for split in ("train", "valid", "test") for label in ("yes", "_unknown_", "_silence_")},
        ("train", "_silence_"): 3,
    }
    splits = TASKS.load("ks").splits(tmp_path / "data")
    assert len(splits.test) == 3


def test_without_the_archive_the_list_and_cut_silence_test(tmp_path: Path) -> None:
    prepared("speech_commands", speech_commands(tmp_path / "in", archive=False), tmp_path / "data")
    tests = [row for row in rows(tmp_path / "data", "ks") if row["split"] == "test"]
    assert sorted(row["label"] for row in tests) == ["_silence_", "_unknown_", "yes"]


def test_silence_is_cut_second_by_second(tmp_path: Path) -> None:
    prepared("speech_commands", speech_commands(tmp_path / "in"), tmp_path / "data")
    cut = [row for row in rows(tmp_path / "data", "ks") if row["id"].startswith("_silence_")]
    assert [row["path"] for row in cut] == [f"ks/audio/_silence_-pink_noise-00{second}.flac" for second in range(4)]
    whole, _ = soundfile.read(tmp_path / "in/speech_commands_v0.01/_background_noise_/pink_noise.wav", dtype="int16")
    part, rate = soundfile.read(tmp_path / "data" / cut[2]["path"], dtype="int16")
    assert (part == whole[2 * rate : 3 * rate]).all()


def test_a_missing_list(tmp_path: Path) -> None:
    root = speech_commands(tmp_path / "in")
    (root / "speech_commands_v0.01/validation_list.txt").unlink()
    with pytest.raises(DataError, match=r"expected .*validation_list.txt, came none: get the corpus from http"):
        prepared("speech_commands", root, tmp_path / "data")
