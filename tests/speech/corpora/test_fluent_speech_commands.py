"""Fluent Speech Commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

HEADER = ",path,speakerId,transcription,action,object,location"


def commands(root: Path) -> Path:
    folder = root / "fluent_speech_commands_dataset"
    for split in ("train", "valid", "test"):
        name = f"wavs/speakers/{split}er/a1.wav"
        sound(folder / name)
        line = f'0,{name},{split}er,"Lights, kitchen",activate,lights,kitchen'
        write(folder / "data" / f"{split}_data.csv", HEADER, line)
    return root


def test_slots_and_speakers(tmp_path: Path) -> None:
    counts = prepared("fluent_speech_commands", commands(tmp_path / "in"), tmp_path / "data")
    assert counts == {"ic": {"train": 1, "valid": 1, "test": 1}}
    first = rows(tmp_path / "data", "ic")[0]
    assert first["slots"] == {"action": "activate", "object": "lights", "location": "kitchen"}
    assert (first["id"], first["speaker"]) == ("trainer-a1", "trainer")
    assert TASKS.load("ic").splits(tmp_path / "data").test


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("path,speakerId,action",), r"test_data.csv: expected columns .*, came none called object, location"),
        (
            (HEADER, "0,a.wav,me,text,activate,,none"),
            r"test_data.csv:2: expected a text in each of path, .*'activate', ''",
        ),
    ],
)
def test_malformed_lists(lines: tuple[str, ...], said: str, tmp_path: Path) -> None:
    root = commands(tmp_path / "in")
    write(root / "fluent_speech_commands_dataset/data/test_data.csv", *lines)
    with pytest.raises(DataError, match=said):
        prepared("fluent_speech_commands", root, tmp_path / "data")


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected .*data/train_data.csv, came none: get the corpus from https://fl"):
        prepared("fluent_speech_commands", tmp_path, tmp_path / "data")
