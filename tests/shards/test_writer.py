"""Writing checkpoints: layout, shards, bytes."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.shards.header import Parameter, read_header
from mergekit_speech.shards.reader import INDEX_FILE
from mergekit_speech.shards.writer import ShardWriter, lay_out
from mergekit_speech.testing import tiny_checkpoint

PARAMETERS = [Parameter("a", "I8", (3,)), Parameter("b", "F64", (2,)), Parameter("c", "F16", (5,))]


def test_every_parameter_is_aligned_to_its_elements(tmp_path: Path) -> None:
    (shard,) = lay_out(PARAMETERS, {})
    assert [(each.name, each.offset % 8) for each in shard.parameters] == [("b", 0), ("c", 0), ("a", 2)]
    assert shard.size == shard.header_size + 16 + 10 + 3


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 20))
def test_shards_keep_order_and_size(sizes: list[int], shard_size: int) -> None:
    parameters = [Parameter(str(number), "U8", (size,)) for number, size in enumerate(sizes)]
    shards = lay_out(parameters, {}, shard_size)
    assert [each.name for shard in shards for each in shard.parameters] == [each.name for each in parameters]
    assert all(sum(p.size for p in s.parameters) <= shard_size or len(s.parameters) == 1 for s in shards)


def test_reference_implementation_reads_single_file(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    arrays = {"a": np.arange(3, dtype=np.int8), "b": np.array(2.5), "c": np.zeros((0, 4), np.float16)}
    tiny_checkpoint(tmp_path / "x", arrays=arrays)
    loaded = load_file(tmp_path / "x" / "model.safetensors")
    assert {name: (array.dtype, array.tolist()) for name, array in loaded.items()} == {
        name: (array.dtype, array.tolist()) for name, array in arrays.items()
    }


def test_pieces_may_come_in_any_order(tmp_path: Path) -> None:
    parameters = [Parameter("a", "U8", (6,))]
    with ShardWriter(tmp_path, lay_out(parameters, {})) as writer:
        writer.write("a", memoryview(b"def"), 3)
        writer.write("a", memoryview(b"abc"))
        writer.finish({})
    assert (tmp_path / "model.safetensors").read_bytes().endswith(b"abcdef")


def test_index_names_every_parameter_once(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "x", shard_size=100)
    index = json.loads((folder / INDEX_FILE).read_text())
    found = {each.name: file.name for file in folder.glob("model-*") for each in _parameters(file)}
    assert index["weight_map"] == found
    assert index["metadata"]["total_size"] == (35 + 7 + 30 + 1) * 4


def _parameters(file: Path) -> tuple[Parameter, ...]:
    return read_header(file).parameters if file.suffix == ".safetensors" else ()


def test_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (tiny_checkpoint(tmp_path / name, seed=3) / "model.safetensors" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_file_system_that_cannot_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert (tiny_checkpoint(tmp_path / "x") / "model.safetensors").stat().st_size > 0


def test_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space left on device"):
        tiny_checkpoint(tmp_path / "x")
