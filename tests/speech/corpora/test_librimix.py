"""LibriMix."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write


def librimix(root: Path) -> Path:
    for part in ("train", "dev", "test"):
        sound(root / "wav" / f"{part}.wav", 1.0)
        write(root / part / "wav.scp", f"{part} wav/{part}.wav")
        write(root / part / "segments", f"u2 {part} 0.3 1.0", f"u1 {part} 0.0 0.5")
        write(root / part / "utt2spk", f"u1 {part}1", f"u2 {part}2")
    return root


def test_turns_in_order(tmp_path: Path) -> None:
    prepared("librimix", librimix(tmp_path / "in"), tmp_path / "data")
    first = rows(tmp_path / "data", "sd")[0]
    assert first["segments"] == [[0.0, 0.5, "train1"], [0.3, 1.0, "train2"]]
    assert first["speaker"] == ["train1", "train2"]
    assert [row["split"] for row in rows(tmp_path / "data", "sd")] == ["train", "valid", "test"]
    assert TASKS.load("sd").splits(tmp_path / "data").test


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("segments", "u1 dev 0.0", "dev/segments:1: expected an utterance of dev/utt2spk, a recording, start and end"),
        ("segments", "u9 dev 0.0 0.5", "dev/segments:1: expected an utterance of dev/utt2spk"),
        ("wav.scp", "dev", "dev/wav.scp:1: expected a name and what belongs to it, got 'dev'"),
    ],
)
def test_malformed_files(name: str, line: str, said: str, tmp_path: Path) -> None:
    root = librimix(tmp_path / "in")
    write(root / "dev" / name, line)
    with pytest.raises(DataError, match=said):
        prepared("librimix", root, tmp_path / "data")


def test_a_missing_file(tmp_path: Path) -> None:
    root = librimix(tmp_path / "in")
    (root / "test/utt2spk").unlink()
    with pytest.raises(DataError, match=r"expected .*test/utt2spk, came none: get the corpus from https://github"):
        prepared("librimix", root, tmp_path / "data")
