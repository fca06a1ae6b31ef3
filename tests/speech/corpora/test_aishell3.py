"""AISHELL-3."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from tests.speech.corpora.trees import prepared, rows
from tests.speech.corpus import save, tone


def test_clips_without_labels(tmp_path: Path) -> None:
    for split, speaker in (("train", "SSB0005"), ("test", "SSB0009")):
        save(tmp_path / "in" / split / "wav" / speaker / f"{speaker}0001.wav", tone(0.1, rate=44_100), 44_100)
    prepared("aishell3", tmp_path / "in", tmp_path / "data")
    assert rows(tmp_path / "data", "aishell3")[0] == {
        "id": "SSB00050001",
        "path": str(tmp_path / "in/train/wav/SSB0005/SSB00050001.wav"),
        "duration": 0.1,
        "split": "train",
        "speaker": "SSB0005",
    }


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"aishell3: expected files .*train/wav/\*/\*.wav, came none: get the corpus"):
        prepared("aishell3", tmp_path, tmp_path / "data")
