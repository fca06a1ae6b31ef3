"""TIMIT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

PHONES = ("0 10 h#", "10 20 sh", "20 30 ix", "30 40 q", "40 50 dcl", "50 60 d", "60 70 h#")


def timit(root: Path, case: Callable[[str], str] = str) -> Path:
    for folder in ("TRAIN/DR1/FCJF0", "TEST/DR1/FAKS0", "TEST/DR1/MDAB0", "TEST/DR1/MZZZ0"):
        for sentence in ("SA1", "SX37"):
            sound(root / case(f"{folder}/{sentence}.WAV"))
            write(root / case(f"{folder}/{sentence}.PHN"), *PHONES)
    return root


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_phones_are_folded_and_speakers_split(case: Callable[[str], str], tmp_path: Path) -> None:
    prepared("timit", timit(tmp_path / "in" / case("TIMIT"), case).parent, tmp_path / "data")
    found = rows(tmp_path / "data", "pr")
    assert [(row["id"], row["split"]) for row in found] == [
        ("FCJF0-SX37", "train"),
        ("FAKS0-SX37", "valid"),
        ("MDAB0-SX37", "test"),
    ]
    assert found[0]["phones"] == ["sil", "sh", "ih", "sil", "d", "sil"]
    # The glottal stop from 30 to 40 has no counterpart.
    assert found[0]["alignment"][2:4] == [[20 / 16000, 30 / 16000, "ih"], [40 / 16000, 50 / 16000, "sil"]]
    assert rows(tmp_path / "data", "pc") == found
    assert TASKS.load("pc").splits(tmp_path / "data").test
    assert TASKS.load("pr").splits(tmp_path / "data").test


@pytest.mark.parametrize("line", ["0 10", "0 10 zzz"])
def test_a_malformed_line(line: str, tmp_path: Path) -> None:
    root = timit(tmp_path / "in")
    write(root / "TRAIN/DR1/FCJF0/SX37.PHN", line)
    with pytest.raises(DataError, match=r"SX37.PHN:1: expected start, end and one of TIMIT's 61 phones"):
        prepared("timit", root, tmp_path / "data")
