"""VoxCeleb1."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

SPEAKERS = ("id10001", "id10002", "id10270", "id10271")


def voxceleb1(root: Path) -> Path:
    usage = []
    for speaker in SPEAKERS:
        for video, number in ((1, 1), (2, 2), (3, 3), (4, 2)):
            name = f"{speaker}/video{video}/0000{video}.wav"
            sound(root / ("dev" if speaker < "id10270" else "test") / "wav" / name, 2.1)
            usage.append(f"{number} {name}")
    write(root / "iden_split.txt", *usage)
    one, other = "id10270/video1/00001.wav", "id10270/video2/00002.wav"
    write(root / "veri_test.txt", f"1 {one} {other}", f"0 {one} id10271/video1/00001.wav")
    return root


def test_identification_splits_every_speaker(tmp_path: Path) -> None:
    counts = prepared("voxceleb1", voxceleb1(tmp_path / "in"), tmp_path / "data", ["sid"])
    assert counts == {"sid": {"train": 4, "valid": 8, "test": 4}}
    assert rows(tmp_path / "data", "sid")[0] == {
        "id": "id10001-video1-00001",
        "path": str(tmp_path / "in/dev/wav/id10001/video1/00001.wav"),
        "duration": 2.1,
        "split": "train",
        "label": "id10001",
    }
    assert TASKS.load("sid").splits(tmp_path / "data").test


def test_verification_tests_the_speakers_of_the_trials_alone(tmp_path: Path) -> None:
    prepared("voxceleb1", voxceleb1(tmp_path / "in"), tmp_path / "data", ["asv"])
    found = Counter((row["split"], row["speaker"]) for row in rows(tmp_path / "data", "asv"))
    assert found == {
        ("train", "id10001"): 2,
        ("train", "id10002"): 2,
        ("valid", "id10001"): 2,
        ("valid", "id10002"): 2,
        ("test", "id10270"): 2,
        ("test", "id10271"): 1,
    }
    splits = TASKS.load("asv").splits(tmp_path / "data")
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [4, 4, 3]


def test_lists_that_are_missing_say_where_to_get_them(tmp_path: Path) -> None:
    root = voxceleb1(tmp_path / "in")
    (root / "veri_test.txt").unlink()
    with pytest.raises(DataError, match=r"expected .*veri_test2.txt, came none: get that file from https.*/veri_test2"):
        prepared("voxceleb1", root, tmp_path / "data")
    (root / "iden_split.txt").unlink()
    with pytest.raises(DataError, match=r"expected .*iden_split.txt, came none: get that file from https.*/iden_split"):
        prepared("voxceleb1", root, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("iden_split.txt", r"iden_split.txt:1: expected 1, 2 or 3 and SPEAKER/VIDEO/CLIP.wav, got '4 a'"),
        ("veri_test.txt", r"veri_test.txt:1: expected 0 or 1 and two of SPEAKER/VIDEO/CLIP.wav, got '4 a'"),
    ],
)
def test_malformed_lists(name: str, said: str, tmp_path: Path) -> None:
    root = voxceleb1(tmp_path / "in")
    write(root / name, "4 a")
    with pytest.raises(DataError, match=said):
        prepared("voxceleb1", root, tmp_path / "data")


def test_a_recording_that_is_nowhere(tmp_path: Path) -> None:
    root = voxceleb1(tmp_path / "in")
    (root / "test/wav/id10271/video3/00003.wav").unlink()
    with pytest.raises(DataError, match=r"1 of 16 recordings cannot be used, the first: .*00003.wav does not exist"):
        prepared("voxceleb1", root, tmp_path / "data", ["sid"])
