"""Draws clips so that every class is as frequent as any other, in an order that depends on seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from mergekit_speech.errors import DataError
from mergekit_speech.speech.batches import START, BatchLimits, Position, refuse_long
from mergekit_speech.speech.clip import Clip


class BalancedStream:
    """An endless stream of batches of clips, drawn with replacement, that can be taken up at any position.

    An epoch draws as many clips as there are. Source: s3prl's `BalancedWeightedSampler`, of SUPERB's KS.
    """

    def __init__(self, clips: Sequence[Clip], classes: Sequence[Hashable], limits: BatchLimits, seed: int) -> None:
        """Prepares the stream.

        Args:
            clips: What to draw from.
            classes: Of each clip.
            limits: Size of a batch.
            seed: Decides the order, together with the epoch.

        Raises:
            DataError: There is no clip, or one alone is longer than the limit in seconds.
        """
        if not clips:
            raise DataError("no clip to train on: the training split is empty")
        refuse_long(clips, limits)
        frequency = Counter(classes)
        weights = np.array([1 / frequency[each] for each in classes])
        self._clips, self._limits, self._seed = clips, limits, seed
        self._chances = weights / weights.sum()

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it."""
        epoch, skip = start.epoch, start.batch
        while True:
            for number, batch in enumerate(self._epoch(epoch), start=1):
                if number > skip:
                    yield Position(epoch, number), batch
            epoch, skip = epoch + 1, 0

    def _epoch(self, epoch: int) -> Iterator[list[Clip]]:
        generator = np.random.default_rng([self._seed, epoch])
        batch: list[Clip] = []
        for place in generator.choice(len(self._clips), size=len(self._clips), p=self._chances).tolist():
            clip = self._clips[place]
            if batch and not self._limits.allow([*batch, clip]):
                yield batch
                batch = []
            batch.append(clip)
        yield batch
