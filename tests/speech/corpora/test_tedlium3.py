"""TED-LIUM 3."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.registry import CORPORA, TASKS
from mergekit_speech.speech.corpora.parts.corpus import Source
from mergekit_speech.speech.corpora.parts.preparing import prepare
from tests.speech.corpora.trees import prepared, rows, write
from tests.speech.corpus import noise


def tedlium3(root: Path) -> Path:
    for part in ("train", "dev", "test"):
        folder, talk = root / "TEDLIUM_release-3/legacy" / part, f"{part}_2010"
        (folder / "sph").mkdir(parents=True)
        soundfile.write(folder / "sph" / f"{talk}.sph", noise(1.0), 16_000, format="NIST", subtype="PCM_16")
        segments = (
            f"{talk} 1 {part} 0.25 0.75 <o,f0,male> i don 't <unk> know",
            f"{talk} 1 inter_segment_gap 0.75 1.0 <o,f0,> ignore_time_segment_in_scoring",
        )
        write(folder / "stm" / f"{talk}.stm", *segments)
    return root


def test_segments_are_cut_out(tmp_path: Path) -> None:
    counts = prepared("tedlium3", tedlium3(tmp_path / "in"), tmp_path / "data")
    assert counts == {"asr": {"train": 1, "valid": 1, "test": 1}}
    name = "train_2010-0000025-0000075"
    assert rows(tmp_path / "data", "asr")[0] == {
        "id": name,
        "path": f"asr/audio/{name}.flac",
        "duration": 0.5,
        "split": "train",
        "speaker": "train",
        "text": "i don't know",
    }
    assert soundfile.info(str(tmp_path / f"data/asr/audio/{name}.flac")).frames == 8000
    assert TASKS.load("asr").splits(tmp_path / "data").test


def test_a_malformed_segment(tmp_path: Path) -> None:
    root = tedlium3(tmp_path / "in")
    write(root / "TEDLIUM_release-3/legacy/dev/stm/dev_2010.stm", "dev_2010 1 dev zero 1.0 <o> words")
    with pytest.raises(DataError, match=r"dev_2010.stm:1: expected a talk, a channel, a speaker, start, end, a label"):
        prepared("tedlium3", root, tmp_path / "data")


def test_the_first_hours_of_training(tmp_path: Path) -> None:
    root, source = tedlium3(tmp_path / "in"), CORPORA.load("tedlium3")
    path = root / "TEDLIUM_release-3/legacy/train/stm/train_2010.stm"
    segments = [f"train_2010 1 train {start} {start + 0.25} <o,f0,male> word" for start in (0.0, 0.25, 0.5, 0.75)]
    write(path, *segments)
    named = Source("tedlium3", source.url, root)
    counts = prepare(source, named, tmp_path / "data", train_hours=0.4 / 3600)
    assert counts == {"asr": {"train": 2, "valid": 1, "test": 1}}
    assert len(list((tmp_path / "data/asr/audio").glob("train*"))) == 2
    with pytest.raises(SettingsError, match="expected hours of training speech above 0, came 0"):
        prepare(source, named, tmp_path / "other", train_hours=0)
