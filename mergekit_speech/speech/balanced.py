"""Draws clips so that every class is as frequent as any other, in an order that depends on seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from mergekit_speech.speech.batches import START, BatchLimits, Position, behind_one_another, check_clips
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
        check_clips(clips, limits)
        frequency = Counter(classes)
        weights = np.array([1 / frequency[each] for each in classes])
        self._clips, self._limits, self._seed = clips, limits, seed
        self._chances = weights / weights.sum()

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it."""
        return behind_one_another(self._epoch, start)

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
