"""Prepares the next batches while the current one is trained on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from mergekit_speech.errors import SettingsError
from mergekit_speech.speech.batches import START, Position
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.ranks import share

Collate = Callable[[Sequence[Clip], int], Any]
"""Turns clips into a batch; the number counts batches from 0 over the whole run and may seed random crops."""


class Stream(Protocol):
    """Where clips come from."""

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it."""


class Feed:
    """Batches of a stream, made ready ahead in threads, since decoding and padding leave Python's lock."""

    def __init__(self, stream: Stream, collate: Collate, workers: int = 1) -> None:
        """Joins a stream with the way its clips become batches.

        Args:
            stream: Clips of a whole batch, the same in all processes of a run.
            collate: Makes a batch; called from several threads where there are several workers.
            workers: Threads, each a batch ahead; 0 makes a batch when it is wanted. Their
                number does not change the batches.

        Raises:
            SettingsError: There are fewer than 0 workers.
        """
        if workers < 0:
            raise SettingsError(f"workers must be at least 0, got {workers!r}")
        self._stream, self._workers = stream, workers
        self.collate = collate

    def batches(self, start: Position, number: int) -> Iterator[tuple[Position, Sequence[Clip], Any]]:
        """Yields `(position after it, clips, batch)` for ever; the batch holds this process's share of the clips.

        Args:
            start: Where the stream stands.
            number: Batches that the run has used before.
        """
        order = enumerate(self._stream.batches(start), start=number)
        if not self._workers:
            for number, (position, whole) in order:
                yield position, whole, self.collate(own(whole), number)
        with ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="feed") as pool:

            def submit() -> tuple[Position, Sequence[Clip], Future[Any]]:
                number, (position, clips) = next(order)
                return position, clips, pool.submit(self.collate, own(clips), number)

            ahead = deque(submit() for _ in range(self._workers))
            while True:
                position, clips, batch = ahead.popleft()
                ahead.append(submit())
                yield position, clips, batch.result()


def own(clips: Sequence[Clip]) -> list[Clip]:
    """This process's share of a batch; one clip, which then does not count, where there are fewer than processes."""
    return share(clips) or list(clips[:1])
