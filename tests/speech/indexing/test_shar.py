"""Manifests of Shar folders that lhotse wrote of real recordings."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

from mergekit_speech.cli import main
from mergekit_speech.errors import DataError, OutputError, SettingsError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.speech.audio import read_audio
from mergekit_speech.speech.indexing.index import index
from mergekit_speech.speech.manifest import read_manifest
from tests.speech.corpus import noise, save

WANTED = {"train": 4, "valid": 2, "test": 2}
SETTINGS = FinetuneSettings(steps=3, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=3, head_only=0.34)


def chosen(speech: Path) -> list[dict[str, Any]]:
    """Some clips of two keywords."""
    rows = [json.loads(line) for line in (speech / "ks" / "manifest.jsonl").read_text().splitlines()]
    return [
        row
        for split, count in WANTED.items()
        for label in ("yes", "no")
        for row in [row for row in rows if (row["split"], row["label"]) == (split, label)][:count]
    ]


def cut_of(path: Path, name: str, spoken: list[dict[str, Any]], custom: dict[str, Any]) -> MonoCut:
    recording = Recording.from_file(path, recording_id=name)
    supervisions = [
        SupervisionSegment(**{"id": f"{name}-{number}", "recording_id": name, "start": 0.0, "duration": 0.1, **each})
        for number, each in enumerate(spoken)
    ]
    return MonoCut(name, 0, recording.duration, 0, supervisions=supervisions, recording=recording, custom=custom)


def write_shar(cuts: list[MonoCut], folder: Path) -> Path:
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CutSet.from_cuts(cuts).to_shar(folder, fields={"recording": "flac"}, shard_size=3)
    return folder


@pytest.fixture(scope="module")
def shars(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Shars: train, valid and test."""
    folder = tmp_path_factory.mktemp("shars")
    for split in WANTED:
        cuts = [
            cut_of(speech / row["path"], row["id"], [{"speaker": row["speaker"]}], {"label": row["label"]})
            for row in chosen(speech)
            if row["split"] == split
        ]
        write_shar(cuts, folder / split)
    return folder


@pytest.fixture
def shar(tmp_path: Path) -> Path:
    """A Shar of two cuts, for what goes wrong."""
    path = save(tmp_path / "a.wav", noise(0.2))
    return write_shar([cut_of(path, name, [], {}) for name in ("one", "two")], tmp_path / "shar")


def refuse(root: str | Path, data: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        index({"train": str(root)}, data, "ks", **options)
    assert "\n" not in str(caught.value)
    assert not (data / "ks").exists()
    return str(caught.value)


def test_clips_of_a_shar_are_those_that_it_was_made_of(shars: Path, speech: Path, tmp_path: Path) -> None:
    counts = index({split: str(shars / split) for split in WANTED}, tmp_path, "ks")
    assert counts == {"train": 8, "valid": 4, "test": 4}
    clips = read_manifest(tmp_path, "ks", ["label"])
    for clip, row in zip(clips, chosen(speech), strict=True):
        assert (clip.id, clip.split, clip.duration) == (row["id"], row["split"], row["duration"])
        assert clip.fields == {"label": row["label"], "speaker": row["speaker"]}
        assert np.array_equal(read_audio(clip.path), read_audio(speech / row["path"]))


def test_a_run_on_a_shar_is_the_run_on_its_recordings(
    shars: Path, speech: Path, tiny_hubert: Path, tmp_path: Path
) -> None:
    index({split: str(shars / split) for split in WANTED}, tmp_path / "packed", "ks")
    (tmp_path / "files" / "ks").mkdir(parents=True)
    rows = [{**row, "path": str(speech / row["path"])} for row in chosen(speech)]
    (tmp_path / "files" / "ks" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = []
    for data in ("files", "packed"):
        report = finetune(
            tiny_hubert, task="ks", data=tmp_path / data, output=tmp_path / f"run-{data}", settings=SETTINGS
        )
        made.append((report.encoder / "model.safetensors").read_bytes())
    assert made[0] == made[1]


def test_a_shar_behind_a_url(shars: Path, tmp_path: Path) -> None:
    fsspec.filesystem("memory").put(str(shars / "test"), "/shars/test", recursive=True)
    index({"test": "memory://shars/test"}, tmp_path, "ks")
    index({"test": str(shars / "test")}, tmp_path, "here")
    there, here = (read_manifest(tmp_path, folder) for folder in ("ks", "here"))
    assert "memory://" in str(there[0].path)
    assert [read_audio(clip.path).tolist() for clip in there] == [read_audio(clip.path).tolist() for clip in here]


def test_what_becomes_of_text_speakers_and_custom_fields(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", noise(0.5))
    alone = [{"text": "ONE", "speaker": "s", "custom": {"phones": ["W"]}}]
    turns: list[dict[str, Any]] = [
        {"text": "ONE", "speaker": "s"},
        {"text": "TWO", "speaker": "t", "start": 0.2, "duration": 0.25, "language": "en"},
    ]
    cuts = [cut_of(path, "a.b", alone, {"split": "no", "more": 1}), cut_of(path, "c", turns, {})]
    root = write_shar([*cuts, cut_of(path, "d", [], {})], tmp_path / "shar")
    index({"train": str(root)}, tmp_path / "data", "any")
    clips = read_manifest(tmp_path / "data", "any")
    assert [(clip.id, clip.split) for clip in clips] == [("a.b", "train"), ("c", "train"), ("d", "train")]
    assert [clip.fields for clip in clips] == [
        {"more": 1, "phones": ["W"], "text": "ONE", "speaker": "s"},
        {"text": "ONE TWO", "language": "en", "segments": [[0.0, 0.1, "s"], [0.2, 0.45, "t"]]},
        {},
    ]


def test_a_field_becomes_the_label(shars: Path, shar: Path, tmp_path: Path) -> None:
    index({"test": str(shars / "test")}, tmp_path / "data", "sid", label="speaker")
    assert all(clip.fields["label"] == clip.fields["speaker"] for clip in read_manifest(tmp_path / "data", "sid"))
    assert refuse(shar, tmp_path, label="speaker") == (
        f"{shar}/cuts.000000.jsonl.gz:1: expected the field 'speaker' to become the label, came no fields: choose"
        " another"
    )


def test_folder_that_is_no_shar(tmp_path: Path) -> None:
    assert refuse(tmp_path, tmp_path / "data") == (
        f"{tmp_path} is no Shar folder: expected files such as cuts.000000.jsonl.gz, came none; name such a folder,"
        " or a file of cuts or recordings (.jsonl, .jsonl.gz)"
    )
    with pytest.raises(SettingsError, match="expected something for each split, came none: give train=ROOT"):
        index({}, tmp_path, "ks")


def test_protocol_that_nobody_knows(tmp_path: Path) -> None:
    assert refuse("gopher://shar", tmp_path) == (
        "gopher://shar cannot be read (Protocol not known: gopher): check its address, and that it is whole"
    )


def test_protocol_whose_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    said = refuse("s3://bucket/shar", tmp_path)
    assert said.startswith("s3://bucket/shar needs a package that is not installed (")
    assert said.endswith("): pip install 'mergekit-speech[remote]'")


def test_tar_file_that_is_gone_or_cut_short(shar: Path, tmp_path: Path) -> None:
    tar = shar / "recording.000000.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[:700])
    assert refuse(shar, tmp_path).startswith(f"{tar} cannot be read (")
    tar.unlink()
    assert refuse(shar, tmp_path).startswith(f"{tar} cannot be read (")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"id": "three", "duration": 0.2}',
            "expected the audio of cut 'three' in {tar}, came none: write the Shar again",
        ),
        ('{"id": "one"}', "expected a cut with id and duration, got {{'id': 'one'}}: write the Shar again"),
        ("[]", "expected a cut with id and duration, got []: write the Shar again"),
    ],
)
def test_cut_that_makes_no_clip(shar: Path, tmp_path: Path, line: str, said: str) -> None:
    cuts = shar / "cuts.000000.jsonl.gz"
    cuts.write_bytes(gzip.compress(line.encode()))
    assert refuse(shar, tmp_path) == f"{cuts}:1: {said.format(tar=shar / 'recording.000000.tar')}"


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"{"), gzip.compress(b"{}" * 1000)[:20]],
    ids=["no gzip", "no JSON", "cut short"],
)
def test_damaged_cuts(shar: Path, tmp_path: Path, content: bytes) -> None:
    (shar / "cuts.000000.jsonl.gz").write_bytes(content)
    assert refuse(shar, tmp_path).startswith(f"{shar}/cuts.000000.jsonl.gz cannot be read (")


def test_one_id_twice(shar: Path, tmp_path: Path) -> None:
    again = shutil.copytree(shar, tmp_path / "again")
    with pytest.raises(DataError) as caught:
        index({"train": str(shar), "valid": str(again)}, tmp_path / "data", "ks")
    assert str(caught.value) == (
        f"{again}/cuts.000000.jsonl.gz: two cuts are called 'one', the other is in {shar}/recording.000000.tar:"
        " keep one of them"
    )


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["index", *arguments])


def test_on_the_command_line(shar: Path, tmp_path: Path) -> None:
    fixed = [f"train={shar}", "--output", str(tmp_path / "data"), "--folder", "ks"]
    said = invoke(*fixed, "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout) == {"output": f"{tmp_path}/data", "folders": {"ks": {"train": 2}}}
    assert f"{tmp_path}/data/ks: train 2" in said.stderr
    refused = invoke(*fixed)
    assert refused.exit_code == 1
    assert f"{tmp_path}/data/ks exists; choose another folder, or give --overwrite to replace it" in refused.stderr
    assert invoke(*fixed, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("roots", "message"),
    [
        (["train"], "expected SPLIT=ROOT, such as train=shar/train, came 'train'"),
        (["=x"], "expected SPLIT=ROOT, such as train=shar/train, came '=x'"),
        (["train=x", "train=y"], "expected each split once, came 'train' twice"),
    ],
)
def test_roots_that_make_no_sense(roots: list[str], message: str, tmp_path: Path) -> None:
    said = invoke(*roots, "--output", str(tmp_path / "data"), "--folder", "ks")
    assert said.exit_code == 2
    assert message in " ".join(said.stderr.split())


def test_folder_that_exists_is_kept(shar: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "ks").mkdir(parents=True)
    with pytest.raises(OutputError, match="exists; choose another folder"):
        index({"train": str(shar)}, tmp_path / "data", "ks")
