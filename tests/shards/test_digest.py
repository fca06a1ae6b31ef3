"""What changes a digest, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from blake3 import blake3

from mergekit_speech.errors import CheckpointError
from mergekit_speech.shards.digest import CHUNK, weights_digest
from mergekit_speech.testing import tiny_checkpoint

Arrays = dict[str, npt.NDArray[Any]]
ARRAYS: Arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(2, np.float32)}


def digest(folder: Path, arrays: Arrays, shard_size: int | None = None) -> str:
    return weights_digest(tiny_checkpoint(folder, arrays=arrays, shard_size=shard_size))


def test_digest_by_hand(tmp_path: Path) -> None:
    whole = blake3(b'["a", "F32", [2]]' + blake3(ARRAYS["a"].tobytes()).digest())
    whole.update(b'["b", "F32", [2, 3]]' + blake3(ARRAYS["b"].tobytes()).digest())
    assert digest(tmp_path / "x", ARRAYS) == f"blake3:{whole.hexdigest()}"


def test_shards_order_and_threads_do_not_change_it(tmp_path: Path) -> None:
    expected = digest(tmp_path / "x", ARRAYS)
    assert digest(tmp_path / "shards", ARRAYS, shard_size=1) == expected
    assert digest(tmp_path / "order", dict(reversed(ARRAYS.items()))) == expected
    assert weights_digest(tmp_path / "x", threads=3) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"c": ARRAYS["b"], "a": ARRAYS["a"]},
        {"b": ARRAYS["b"].reshape(3, 2), "a": ARRAYS["a"]},
        {"b": ARRAYS["b"], "a": ARRAYS["a"].view(np.int32)},
        {"b": ARRAYS["b"], "a": ARRAYS["a"] * np.float32(1.0000001)},
    ],
)
def test_name_shape_format_and_value_change_it(tmp_path: Path, other: Arrays) -> None:
    assert digest(tmp_path / "x", ARRAYS) != digest(tmp_path / "y", other)


def test_parameter_larger_than_a_chunk(tmp_path: Path) -> None:
    large = np.arange(CHUNK // 4 + 5, dtype=np.float32)
    whole = blake3(f'["a", "F32", [{large.size}]]'.encode() + blake3(large.tobytes()).digest())
    assert digest(tmp_path / "x", {"a": large}) == f"blake3:{whole.hexdigest()}"


def test_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint folder"):
        weights_digest(tmp_path / "none")
