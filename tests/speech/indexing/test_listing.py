"""Manifests of files of cuts and of recordings, as Lhotse and its recipes write them."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import soxr
from click.testing import CliRunner
from lhotse import CutSet, MonoCut, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.recipes import prepare_aishell3

from mergekit_speech.cli import main
from mergekit_speech.errors import DataError
from mergekit_speech.speech.audio import read_audio
from mergekit_speech.speech.indexing.index import index
from mergekit_speech.speech.manifest import read_manifest
from tests.speech.corpora.trees import prepared, rows
from tests.speech.corpus import noise, save

RATE = 44_100
STUDIO = ("SSB00050001", "SSB00050002", "SSB00090001")


@pytest.fixture
def aishell3(speech: Path, tmp_path: Path) -> Path:
    """AISHELL-3 as it lies on disk, of real Mandarin: two clips of the training split, one of the test split."""
    corpus = tmp_path / "AISHELL-3"
    found = [json.loads(line) for line in (speech / "unlabelled_zh" / "manifest.jsonl").read_text().splitlines()]
    for name, row, split in zip(STUDIO, found, ("train", "train", "test"), strict=False):
        loud = soxr.resample(read_audio(speech / row["path"]), 16_000, RATE)
        save(corpus / split / "wav" / name[:7] / f"{name}.wav", loud, RATE, "PCM_16")
        script = corpus / split / "content.txt"
        spelled = " ".join(f"{sign} x1" for sign in row["text"])
        script.write_text((script.read_text() if script.exists() else "") + f"{name}.wav\t{spelled}\n")
    (corpus / "spk-info.txt").write_text("SSB0005\tB\tfemale\tnorth\nSSB0009\tB\tmale\tnorth\n")
    (corpus / "train" / "label_train-set.txt").write_text(f"{STUDIO[0]}|a1 b2|c d\n")
    return corpus


@pytest.fixture
def cut(tmp_path: Path) -> MonoCut:
    """A cut of a whole recording."""
    recording = Recording.from_file(save(tmp_path / "a.wav", noise(0.5)))
    spoken = SupervisionSegment("a", "a", 0.0, 0.5, text="ONE", speaker="s", custom={"phones": ["W"]})
    return MonoCut("a", 0.0, 0.5, 0, supervisions=[spoken], recording=recording)


def refuse(path: Path, data: Path, line: Any) -> str:
    path.write_bytes(gzip.compress((json.dumps(line) + "\n").encode()))
    with pytest.raises(DataError) as caught:
        index({"train": str(path)}, data, "asr")
    assert "\n" not in str(caught.value)
    assert not (data / "asr").exists()
    return str(caught.value).removeprefix(f"{path}:1: ")


def test_clips_of_lhotses_recipe_are_those_of_the_corpus(aishell3: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare_aishell3(aishell3, tmp_path / "manifests")
    files = {
        split: str(tmp_path / "manifests" / f"aishell3_recordings_{split}.jsonl.gz") for split in ("train", "test")
    }
    assert index(files, tmp_path / "lhotse", "aishell3") == {"train": 2, "test": 1}
    prepared("aishell3", aishell3.parent, tmp_path / "own")
    known = {row["id"]: row for row in rows(tmp_path / "own", "aishell3")}
    clips = read_manifest(tmp_path / "lhotse", "aishell3", ["text", "speaker", "gender"])
    assert {clip.id for clip in clips} == known.keys() == set(STUDIO)
    for clip in clips:
        row = known[clip.id]
        assert (str(clip.path), clip.split, clip.fields["speaker"]) == (row["path"], row["split"], row["speaker"])
        assert clip.duration == pytest.approx(row["duration"], abs=1e-4)
        assert len(read_audio(clip.path)) == pytest.approx(clip.duration * 16_000, abs=2)


def test_cuts_of_whole_recordings(cut: MonoCut, tmp_path: Path) -> None:
    cut = cut.with_custom("more", 1)
    CutSet.from_cuts([cut.with_id("b"), cut.with_id("c").resample(8_000)]).to_file(tmp_path / "cuts.jsonl.gz")
    index({"valid": str(tmp_path / "cuts.jsonl.gz")}, tmp_path / "data", "asr")
    clips = read_manifest(tmp_path / "data", "asr")
    assert [(clip.id, clip.split, clip.duration, clip.path) for clip in clips] == [
        (name, "valid", 0.5, tmp_path / "a.wav") for name in ("b", "c")
    ]
    assert all(clip.fields == {"more": 1, "phones": ["W"], "text": "ONE", "speaker": "s"} for clip in clips)


def test_recordings_without_supervisions_and_behind_a_url(cut: MonoCut, tmp_path: Path) -> None:
    assert cut.recording is not None
    RecordingSet.from_recordings([cut.recording]).to_file(tmp_path / "recordings.jsonl")
    index({"train": str(tmp_path / "recordings.jsonl")}, tmp_path / "data", "here")
    fsspec.filesystem("memory").put(str(tmp_path / "recordings.jsonl"), "/lists/x_recordings.jsonl")
    index({"train": "memory://lists/x_recordings.jsonl"}, tmp_path / "data", "there")
    here, there = (read_manifest(tmp_path / "data", folder) for folder in ("here", "there"))
    assert [(clip.id, clip.path, clip.fields) for clip in here] == [("a", tmp_path / "a.wav", {})]
    assert [(clip.id, clip.path) for clip in there] == [(clip.id, clip.path) for clip in here]


def test_relative_paths_start_where_the_command_runs(
    cut: MonoCut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cuts.jsonl").write_text(json.dumps(cut.to_dict()).replace(str(tmp_path / "a.wav"), "a.wav"))
    assert CliRunner().invoke(main, ["index", "train=cuts.jsonl", "--output", "data", "--folder", "x"]).exit_code == 0
    (clip,) = read_manifest(tmp_path / "data", "x")
    assert np.array_equal(read_audio(clip.path), read_audio(tmp_path / "a.wav"))


@pytest.mark.parametrize(
    "change",
    [
        lambda cut: cut.truncate(offset=0.1),
        lambda cut: cut.truncate(duration=0.3),
        lambda cut: cut.perturb_speed(1.1),
        lambda cut: cut.resample(8_000).perturb_volume(2.0),
    ],
)
def test_part_of_a_recording_or_a_change_of_it(
    change: Callable[[MonoCut], MonoCut], cut: MonoCut, tmp_path: Path
) -> None:
    changed = change(cut).with_id("z").to_dict()
    assert refuse(tmp_path / "cuts.jsonl.gz", tmp_path, changed) == (
        "expected 'z' to be the whole of a recording, came a part or a change: write a Shar of it with CutSet.to_shar,"
        " and index that"
    )


def test_mix_of_recordings(cut: MonoCut, tmp_path: Path) -> None:
    mix = cut.append(cut).with_id("z").to_dict()
    said = refuse(tmp_path / "cuts.jsonl.gz", tmp_path, mix)
    assert said.startswith("expected 'z' to be the whole of a recording, came a mix: write a Shar of it with CutSet")


def test_one_channel_of_two(tmp_path: Path) -> None:
    two = np.stack([noise(0.5), noise(0.5, seed=1)], axis=1)
    recording = Recording.from_file(save(tmp_path / "two.wav", two))
    one = MonoCut("z", 0.0, 0.5, 1, recording=recording).to_dict()
    assert "to be the whole of a recording" in refuse(tmp_path / "cuts.jsonl.gz", tmp_path, one)
    RecordingSet.from_recordings([recording]).to_file(tmp_path / "recordings.jsonl")
    assert index({"train": str(tmp_path / "recordings.jsonl")}, tmp_path / "data", "both") == {"train": 1}


def test_recording_that_is_no_file(cut: MonoCut, tmp_path: Path) -> None:
    row = cut.to_dict()
    row["recording"]["sources"][0]["type"] = "command"
    said = refuse(tmp_path / "cuts.jsonl.gz", tmp_path, row)
    assert said.startswith("expected 'a' to have a file or a URL, came {'id': 'a', ")
    assert said.endswith(": write a Shar of it with CutSet.to_shar, and index that")


def test_line_that_is_no_cut(tmp_path: Path) -> None:
    said = "expected a cut with id and duration, got ['a']: write the file again"
    assert refuse(tmp_path / "cuts.jsonl.gz", tmp_path, ["a"]) == said


def test_line_that_is_no_supervision(cut: MonoCut, tmp_path: Path) -> None:
    assert cut.recording is not None
    RecordingSet.from_recordings([cut.recording]).to_file(tmp_path / "x_recordings_train.jsonl.gz")
    beside = tmp_path / "x_supervisions_train.jsonl.gz"
    beside.write_bytes(gzip.compress(b'{"recording_id": "a"}\n'))
    with pytest.raises(DataError) as caught:
        index({"train": str(tmp_path / "x_recordings_train.jsonl.gz")}, tmp_path / "data", "asr")
    assert str(caught.value) == (
        f"{beside}:1: expected a supervision of a recording, got {{'recording_id': 'a'}}: write it again"
    )
    SupervisionSet.from_segments(cut.supervisions).to_file(beside)
    index({"train": str(tmp_path / "x_recordings_train.jsonl.gz")}, tmp_path / "data", "asr")
    assert read_manifest(tmp_path / "data", "asr")[0].fields["text"] == "ONE"


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cuts\.jsonl cannot be read \(.*\): check its address, and that it is whole"):
        index({"train": str(tmp_path / "cuts.jsonl")}, tmp_path / "data", "asr")
