"""Recordings that are not on this machine: the same runs and probes as of those that are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from mergekit_speech import bench
from mergekit_speech.errors import DataError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.speech.manifest import read_manifest

SETTINGS = FinetuneSettings(steps=3, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=3, head_only=0.34)


def elsewhere(toy: Path, data: Path, place: Callable[[str, bytes], dict[str, object]]) -> Path:
    """A data folder with manifests alone, and recordings where `place` puts them."""
    (data / "ks").mkdir(parents=True)
    rows = [json.loads(line) for line in (toy / "ks" / "manifest.jsonl").read_text().splitlines()]
    moved = [{**row, **place(row["path"], (toy / row["path"]).read_bytes())} for row in rows]
    (data / "ks" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    return data


@pytest.fixture
def remote(toy: Path, tmp_path: Path) -> Path:
    """Each recording is a file of a remote store."""

    def place(name: str, content: bytes) -> dict[str, object]:
        url = f"memory://toy/{name}"
        with fsspec.open(url, "wb") as file:
            file.write(content)
        return {"path": url}

    return elsewhere(toy, tmp_path / "remote", place)


@pytest.fixture
def packed(toy: Path, tmp_path: Path) -> Path:
    """All recordings are parts of one file."""
    data = tmp_path / "packed"
    data.mkdir()

    def place(name: str, content: bytes) -> dict[str, object]:
        with (data / "shard").open("ab") as file:
            start = file.tell()
            file.write(content)
        return {"path": "shard", "bytes": [start, len(content)]}

    return elsewhere(toy, data, place)


def test_a_run_is_the_same_wherever_the_recordings_are(
    tiny_hubert: Path, toy: Path, remote: Path, packed: Path, tmp_path: Path
) -> None:
    made = []
    for data in (toy, remote, packed):
        report = finetune(tiny_hubert, task="ks", data=data, output=tmp_path / f"run-{data.name}", settings=SETTINGS)
        made.append((report.encoder / "model.safetensors").read_bytes())
    assert made[0] == made[1] == made[2]


def test_a_bench_is_the_same_too(tiny_hubert: Path, toy: Path, remote: Path, tmp_path: Path) -> None:
    found = []
    for data in (toy, remote):
        report = bench([tiny_hubert], data=data, tasks=["ks"], output=tmp_path / f"report-{data.name}", steps=2)
        found.append([probe.test for probe in report.probes])
    assert found[0] == found[1]


def test_a_store_without_the_recordings_is_refused_before_a_run_is_made(
    tiny_hubert: Path, remote: Path, tmp_path: Path
) -> None:
    fsspec.filesystem("memory").rm(str(read_manifest(remote, "ks")[0].path))
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: clip memory://toy/train0\.wav does not exist"):
        finetune(tiny_hubert, task="ks", data=remote, output=tmp_path / "run", settings=SETTINGS)
    assert not (tmp_path / "run").exists()
