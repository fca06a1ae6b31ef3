"""Recordings behind URLs and within larger files."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import Address, find_absent
from mergekit_speech.speech.audio import AudioStore, read_audio
from mergekit_speech.speech.manifest import refuse_absent
from tests.speech.corpus import make_clip, noise, save, saved_clip


def upload(content: bytes) -> str:
    """Puts a file where only fsspec finds it."""
    url = f"memory://{uuid.uuid4().hex}/a.flac"
    with fsspec.open(url, "wb") as file:
        file.write(content)
    return url


def refuse(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["file", "local url", "remote", "inside", "inside a remote one"])
def test_a_recording_is_the_same_wherever_it_lies(kind: str, tmp_path: Path) -> None:
    path = save(tmp_path / "a.flac", noise(0.5))
    whole = path.read_bytes()
    packed = b"\x00" * 700 + whole + b"\xff" * 300
    (tmp_path / "shard.tar").write_bytes(packed)
    address = {
        "file": Address(str(path)),
        "local url": Address(path.as_uri()),
        "remote": Address(upload(whole)),
        "inside": Address(str(tmp_path / "shard.tar"), 700, len(whole)),
        "inside a remote one": Address(upload(packed), 700, len(whole)),
    }[kind]
    assert address.read_bytes() == whole
    assert np.array_equal(read_audio(address), read_audio(path))
    assert address.exists()
    clip = replace(make_clip("a", 0.5), path=address)
    store = AudioStore()
    assert store.read(clip) is store.read(clip)


def test_what_messages_call_it() -> None:
    assert str(Address("s3://b/a.flac")) == "s3://b/a.flac"
    assert str(Address("s3://b/a.tar", 512, 100)) == "s3://b/a.tar (bytes 512 to 611)"


def test_what_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Address("memory://nowhere/a.flac")
    assert refuse(gone.read_bytes) == "clip memory://nowhere/a.flac does not exist: check the manifest's path"
    url = upload(b"12345678")
    assert refuse(Address(url, 4, 10).read_bytes) == (
        f"clip {url} (bytes 4 to 13) has 4 of its 10 bytes: the file was cut short or written again; replace it, or"
        " index it again"
    )
    assert refuse(Address("gopher://x/a.flac").read_bytes) == (
        "clip gopher://x/a.flac cannot be read (Protocol not known: gopher): check its address and the access to it"
    )
    monkeypatch.setitem(sys.modules, "s3fs", None)
    said = refuse(Address("s3://bucket/a.flac").exists)
    assert said.startswith("clip s3://bucket/a.flac needs a package that is not installed (")
    assert said.endswith("): pip install 'mergekit-speech[remote]'")


def test_bytes_that_are_no_audio() -> None:
    address = Address(upload(b"not audio at all"))
    assert refuse(lambda: read_audio(address)).startswith(f"clip {address} cannot be decoded (")


def test_of_a_remote_store_one_recording_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def exists(system: MemoryFileSystem, path: str) -> bool:
        asked.append(path)
        return "gone" not in path

    monkeypatch.setattr(MemoryFileSystem, "exists", exists)
    there = [Address(f"memory://here/{number}.flac") for number in range(5)]
    lost = [Address(f"memory://gone/{number}.flac", number, 5) for number in range(5)]
    assert find_absent([*there, *lost]) == {lost[0]}
    assert sorted(asked) == ["/gone/0.flac", "/here/0.flac"]


def test_of_a_local_file_all_parts_are_gone_with_it(tmp_path: Path) -> None:
    here = saved_clip(tmp_path, "a", noise(0.1))
    (tmp_path / "b.tar").touch()
    parts = [
        replace(make_clip(f"{name}{number}"), path=Address(str(tmp_path / f"{name}.tar"), number, 5))
        for name in ("b", "c")
        for number in range(3)
    ]
    assert refuse(lambda: refuse_absent([here, *parts])) == (
        f"manifest.jsonl:c0: clip {tmp_path}/c.tar (bytes 0 to 4) does not exist (3 of 7 clips have no file): check the"
        " manifest's paths and the data folder"
    )
