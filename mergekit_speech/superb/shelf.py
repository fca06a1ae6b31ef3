"""Where hidden states of one encoder are kept on disk, within a budget that all encoders share."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.superb.segment import PARTIAL, SUFFIX, Array, Segment, SegmentWriter, open_segment

LARGEST = 256 << 20
"""Bytes of a file, give or take an array."""
PARTS = 16
"""Files that a budget has room for, at least."""
ABANDONED = 86_400
"""Seconds after which nobody writes on a file any more."""


class Shelf:
    """Arrays by key in a folder of files, each written once.

    Several processes may use a folder at once: files appear whole, under names of their own, and what one process
    deletes, others can read on. A damaged file is deleted, as what it held can be computed again.
    """

    def __init__(self, root: Path, name: str, budget: int, damaged: Callable[[Path], None] = lambda _: None) -> None:
        """Opens what stands there.

        Args:
            root: Folder of all encoders.
            name: Folder of this encoder below it; must change with whatever its arrays depend on.
            budget: Bytes that all files below `root` may take.
            damaged: Told of each file that is deleted because it is damaged.
        """
        self._root, self._folder, self._budget = root, root / name, budget
        self._segments: list[Segment] = []
        self._places: dict[str, Array] = {}
        self._writer: SegmentWriter | None = None
        self._used = sum(size for _, _, size in self._files())
        self._sweep()
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            self._open(path, damaged)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def find(self, key: str) -> Array | None:
        """The array of that key, a view of its file; None where there is none, or its file is not sealed yet."""
        return self._places.get(key)

    def add(self, key: str, array: Array, order: Mapping[str, int]) -> bool:
        """Keeps an array, if need be in place of files whose arrays are needed later or not at all.

        Args:
            key: Its name.
            array: Copied.
            order: When which key is needed; keys that are not named are not needed.

        Returns:
            Whether there is room.

        Raises:
            OutputError: The disk is full.
        """
        if not self._make_room(array.nbytes, order.get(key, 0), order):
            return False
        writer, self._writer = self._writer or SegmentWriter(self._folder), None
        try:
            writer.add(key, array)
        except BaseException:
            # Half an array may stand there.
            writer.discard()
            raise
        self._writer = writer
        if writer.size >= min(LARGEST, self._budget // PARTS):
            self.seal()
        return True

    def seal(self) -> None:
        """Makes what was added readable.

        Raises:
            OutputError: The disk is full.
        """
        if self._writer is not None:
            writer, self._writer = self._writer, None
            segment = writer.seal()
            self._used += segment.size
            self._put(segment)

    def _make_room(self, size: int, place: int, order: Mapping[str, int]) -> bool:
        while self._used + (self._writer.size if self._writer else 0) + size > self._budget:
            strangers = [file for file in self._files() if file[1].parent != self._folder]
            if strangers:
                _, oldest, freed = min(strangers)
                oldest.unlink(missing_ok=True)
                self._used -= freed
                continue
            last = max(self._segments, key=lambda segment: _first(segment, order), default=None)
            if last is None or _first(last, order) <= place:
                return False
            self._drop(last)
        return True

    def _files(self) -> list[tuple[float, Path, int]]:
        """Time of last use, path and bytes of every file of all encoders."""
        found = []
        for path in self._root.glob(f"*/*{SUFFIX}"):
            # Another process may have deleted it meanwhile.
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, path, status.st_size))
        return found

    def _sweep(self) -> None:
        """Deletes what processes left that were killed while they wrote."""
        for path in self._folder.glob(f"*{PARTIAL}"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()

    def _open(self, path: Path, damaged: Callable[[Path], None]) -> None:
        with suppress(FileNotFoundError):
            try:
                self._put(open_segment(path))
                # Whoever needs room deletes what was used least recently.
                os.utime(path)
            except CheckpointError:
                self._used -= path.stat().st_size
                path.unlink()
                damaged(path)

    def _put(self, segment: Segment) -> None:
        self._segments.append(segment)
        self._places.update(segment.arrays)

    def _drop(self, segment: Segment) -> None:
        self._segments.remove(segment)
        for key in segment.arrays:
            self._places.pop(key, None)
        self._used -= segment.size
        segment.path.unlink(missing_ok=True)


def _first(segment: Segment, order: Mapping[str, int]) -> float:
    return min((order.get(key, math.inf) for key in segment.arrays), default=math.inf)
