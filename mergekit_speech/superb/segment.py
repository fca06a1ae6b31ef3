"""Files of hidden states: written once and whole, read through memory maps, and refused where a bit has changed."""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from mergekit_speech.errors import CheckpointError, OutputError

SUFFIX, PARTIAL = ".states", ".partial"
MAGIC = b"msm-states-1"
LENGTH = struct.Struct("<Q")
"""Behind arrays and index: how many bytes the index has."""
TAIL = struct.Struct("<32s12s")
"""Behind that: the digest of all that stands before it, and the magic word."""
ALIGNED = 64

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Segment:
    """Arrays by key.

    Attributes:
        path: The file.
        arrays: Views of the file, which pages them in and out as they are read.
        size: Bytes of the file.
    """

    path: Path
    arrays: Mapping[str, Array]
    size: int


class SegmentWriter:
    """Collects arrays in a file that gets its name when it is whole."""

    def __init__(self, folder: Path) -> None:
        """Opens a new file.

        Raises:
            OutputError: The folder cannot be written to.
        """
        self._partial = folder / f"{uuid.uuid4().hex}{PARTIAL}"
        self._index: list[tuple[str, str, tuple[int, ...], int]] = []
        self.size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self._partial.open("wb")
        except OSError as fault:
            raise _say_full(folder, fault) from fault

    def add(self, key: str, array: Array) -> None:
        """Appends an array.

        Raises:
            OutputError: The disk is full.
        """
        self._index.append((key, array.dtype.name, array.shape, self.size))
        self._write(np.ascontiguousarray(array).tobytes() + bytes(-array.nbytes % ALIGNED))

    def seal(self) -> Segment:
        """Ends the file and opens it for reading.

        Raises:
            OutputError: The disk is full.
        """
        index, path = json.dumps(self._index).encode(), self._partial.with_suffix(SUFFIX)
        self._write(index + LENGTH.pack(len(index)))
        with self._complaining():
            self._file.flush()
            self._file.write(TAIL.pack(_digest(self._partial), MAGIC))
            self._file.close()
            self._partial.replace(path)
        return _map(path, self._index)

    def discard(self) -> None:
        """Deletes what was collected."""
        # What is still in its buffer would be written now, to a disk that may be full.
        with suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        with self._complaining():
            self._file.write(data)
        self.size += len(data)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            self.discard()
            raise _say_full(self._partial.parent, fault) from fault


def open_segment(path: Path) -> Segment:
    """Checks a file to its last bit and maps it into memory.

    Raises:
        CheckpointError: The file is cut short, damaged, or something else.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL.size))
        tail = file.read()
        if len(tail) < TAIL.size or not tail.endswith(MAGIC):
            raise CheckpointError(f"expected {MAGIC.decode()} at the end of {path}, which is cut short: delete it")
        digest, _ = TAIL.unpack(tail)
        if _digest(path, size - TAIL.size) != digest:
            raise CheckpointError(f"expected {path} as it was written, but it is damaged: delete it")
        file.seek(size - TAIL.size - LENGTH.size)
        (length,) = LENGTH.unpack(file.read(LENGTH.size))
        file.seek(size - TAIL.size - LENGTH.size - length)
        index = json.loads(file.read(length))
    return _map(path, index)


def _map(path: Path, index: Any) -> Segment:
    # Copy on write: torch wants memory that it might write to; nothing of it reaches the file.
    data = np.memmap(path, dtype=np.uint8, mode="c")
    arrays: dict[str, Array] = {}
    for key, name, shape, start in index:
        dtype = np.dtype(name)
        arrays[key] = data[start : start + int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
    return Segment(path, arrays, data.nbytes)


def _digest(path: Path, size: int | None = None) -> bytes:
    hasher, left = blake3(), size if size is not None else path.stat().st_size
    with path.open("rb") as file:
        while left and (block := file.read(min(left, 1 << 20))):
            hasher.update(block)
            left -= len(block)
    return hasher.digest()


def _say_full(folder: Path, fault: OSError) -> OutputError:
    return OutputError(
        f"cannot keep hidden states in {folder} ({fault.strerror}): make room, or give a smaller --cache"
    )
