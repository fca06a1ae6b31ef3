"""IEMOCAP."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"


def iemocap(root: Path) -> Path:
    for session in range(1, 6):
        folder, dialogue = root / f"Session{session}", f"Ses0{session}F_impro01"
        lines = [HEADER, ""]
        for number, emotion in enumerate(("neu", "hap", "exc", "ang", "sad", "fru", "xxx")):
            turn = f"{dialogue}_{'FM'[number % 2]}00{number}"
            sound(folder / "sentences/wav" / dialogue / f"{turn}.wav")
            lines += [f"[6.2901 - 8.2357]\t{turn}\t{emotion}\t[2.5000, 2.5000, 2.5000]", "C-E2:\tNeutral;\t()"]
        write(folder / "dialog/EmoEvaluation" / f"{dialogue}.txt", *lines)
    return root


def test_four_emotions_and_sessions_as_folds(tmp_path: Path) -> None:
    prepared("iemocap", iemocap(tmp_path / "in"), tmp_path / "data")
    found = rows(tmp_path / "data", "er")
    assert [row["label"] for row in found[:5]] == ["neutral", "happy", "happy", "angry", "sad"]
    assert [row["speaker"] for row in found[:2]] == ["Ses01F", "Ses01M"]
    assert len(found) == 25
    folds = TASKS.load("er").folds(tmp_path / "data")
    assert [(fold.fold, len(fold.test), len(fold.train)) for fold in folds] == [(n, 5, 15) for n in range(1, 6)]


def test_a_missing_session(tmp_path: Path) -> None:
    root = iemocap(tmp_path / "in")
    (root / "Session4").rename(root / "away")
    with pytest.raises(DataError, match=r"expected .*Session4, came none: get the corpus from https://sail"):
        prepared("iemocap", root, tmp_path / "data")


def test_a_malformed_turn(tmp_path: Path) -> None:
    root = iemocap(tmp_path / "in")
    write(root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", "[1 - 2] turn neu")
    with pytest.raises(DataError, match=r"Ses01F_impro01.txt:1: expected \[START - END\], a turn and its emotion"):
        prepared("iemocap", root, tmp_path / "data")
