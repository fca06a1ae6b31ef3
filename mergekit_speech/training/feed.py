"""Prepares the next batch while the current one is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from mergekit_speech.speech.batches import START, Position
from mergekit_speech.speech.clip import Clip

Collate = Callable[[Sequence[Clip], int], Any]
"""Turns clips into a batch; the number counts batches from 0 over the whole run and may seed random crops."""


class Stream(Protocol):
    """Where clips come from."""

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it."""


class Feed:
    """Batches of a stream, made ready one ahead in a thread, since decoding and padding leave Python's lock."""

    def __init__(self, stream: Stream, collate: Collate) -> None:
        """Joins a stream with the way its clips become batches."""
        self._stream = stream
        self.collate = collate

    def batches(self, start: Position, number: int) -> Iterator[tuple[Position, Sequence[Clip], Any]]:
        """Yields `(position after it, clips, batch)` for ever.

        Args:
            start: Where the stream stands.
            number: Batches that the run has used before.
        """
        order = self._stream.batches(start)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed") as pool:

            def submit(number: int) -> tuple[Position, Sequence[Clip], Future[Any]]:
                position, clips = next(order)
                return position, clips, pool.submit(self.collate, clips, number)

            ahead = submit(number)
            while True:
                number += 1
                position, clips, batch = ahead
                ahead = submit(number)
                yield position, clips, batch.result()
