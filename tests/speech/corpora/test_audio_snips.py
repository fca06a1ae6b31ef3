"""Audio SNIPS."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

LIST = "all.iob.snips.txt"
TAGGED = "BOS play new noise theology now EOS\tO O B-artist I-artist B-album O PlayMusic"


def snips(root: Path) -> Path:
    names = {
        split: f"{speaker}-snips-{split}-1"
        for split, speaker in zip(("train", "valid", "test"), ("Ivy", "Amy", "Emma"), strict=True)
    }
    for split, name in names.items():
        sound(root / split / f"{name}.wav")
        sound(root / split / f"Zoe-snips-{split}-1.wav")
    write(root / LIST, *(f"{name} {TAGGED}" for name in names.values()))
    return root


def test_phrases_of_the_speakers_of_superb(tmp_path: Path) -> None:
    counts = prepared("audio_snips", snips(tmp_path / "in"), tmp_path / "data")
    assert counts == {"sf": {"train": 1, "valid": 1, "test": 1}}
    first = rows(tmp_path / "data", "sf")[0]
    assert first["speaker"] == "Ivy"
    assert first["phrases"] == [["play", None], ["new noise", "artist"], ["theology", "album"], ["now", None]]
    assert TASKS.load("sf").splits(tmp_path / "data").test


def test_tags_that_do_not_fit(tmp_path: Path) -> None:
    root = snips(tmp_path / "in")
    write(root / LIST, "Ivy-snips-train-1 BOS play now EOS\tO O PlayMusic")
    with pytest.raises(DataError, match=r"all.iob.snips.txt:1: expected a name, BOS, words, EOS, a tab, O"):
        prepared("audio_snips", root, tmp_path / "data")


def test_no_recording_that_the_list_names(tmp_path: Path) -> None:
    root = snips(tmp_path / "in")
    (root / "valid/Amy-snips-valid-1.wav").unlink()
    with pytest.raises(
        DataError, match=r"expected recordings of Aditi, Amy, .* in .*valid that all.iob.snips.txt names"
    ):
        prepared("audio_snips", root, tmp_path / "data")
