"""Groups clips of similar length into batches, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import numpy as np

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.speech.clip import SAMPLE_RATE, Clip

if TYPE_CHECKING:
    import torch
    from lhotse import CutSet
    from lhotse.dataset.sampling.base import CutSampler

    from mergekit_speech.speech.audio import Waveform

B = TypeVar("B")
MOST_BUCKETS = 10
CLIPS_IN_BUCKET = 20
"""Clips of an average bucket where there are fewer than the most buckets."""


@dataclass(frozen=True)
class WaveBatch:
    """Waveforms padded with zeros to the longest of them.

    Attributes:
        clips: In the order of the rows.
        waveforms: float32, shape `(batch, samples)`.
        lengths: int64, samples of each row before the padding, shape `(batch,)`.
    """

    clips: tuple[Clip, ...]
    waveforms: torch.Tensor
    lengths: torch.Tensor

    def widened(self, samples: int) -> WaveBatch:
        """The batch with rows of at least `samples`, padded with zeros."""
        return WaveBatch(self.clips, widen(self.waveforms, samples), self.lengths)


@dataclass(frozen=True)
class Position:
    """Where a stream of batches stands: the next batch is number `batch` of epoch `epoch`."""

    epoch: int = 0
    batch: int = 0


START = Position()


@dataclass(frozen=True)
class BatchLimits:
    """How large a batch may become; whichever limit is reached first closes it.

    Attributes:
        seconds: Audio in a batch with its padding, seconds.
        clips: Clips in a batch.
    """

    seconds: float | None = None
    clips: int | None = None

    def allow(self, clips: Sequence[Clip]) -> bool:
        """Whether these clips may be one batch."""
        padded = len(clips) * max(clip.duration for clip in clips)
        return (self.seconds is None or padded <= self.seconds) and (self.clips is None or len(clips) <= self.clips)

    def __post_init__(self) -> None:
        """Refuses limits that no batch can keep.

        Raises:
            SettingsError: There is no limit, or one is not positive.
        """
        limits = {"seconds": self.seconds, "clips": self.clips}
        if all(limit is None for limit in limits.values()):
            raise SettingsError("a batch needs a limit: give seconds of audio, clips, or both")
        for name, limit in limits.items():
            if limit is not None and not limit > 0:
                raise SettingsError(f"{name} of a batch must be above 0, got {limit!r}")


class ClipStream:
    """An endless, shuffled stream of batches of clips that can be taken up at any position.

    Batches come from lhotse's bucketing sampler, so that clips of a batch have similar lengths, unless they are few.
    """

    def __init__(self, clips: Sequence[Clip], limits: BatchLimits, seed: int, *, bucketed: bool = True) -> None:
        """Prepares the stream.

        Args:
            clips: What to draw from; each clip once an epoch.
            limits: Size of a batch.
            seed: Decides the order, together with the epoch.
            bucketed: Whether clips of a batch have similar lengths; else they meet by chance.

        Raises:
            DataError: There is no clip, or one alone is longer than the limit in seconds.
        """
        check_clips(clips, limits)
        self._clips = {clip.source: clip for clip in clips}
        self._limits = limits
        self._seed = seed
        self._bucketed = bucketed

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it."""
        return behind_one_another(self._epoch, start)

    def _epoch(self, epoch: int) -> Iterator[list[Clip]]:
        sampler = self._sampler
        sampler.set_epoch(epoch)
        late: list[Clip] = []
        for cuts in sampler:
            batch = [self._clips[cut.id] for cut in cuts]
            # lhotse closes a batch behind the clip that overshoots; such clips make batches of their own.
            if not self._limits.allow(batch):
                if late and not self._limits.allow([*late, batch[-1]]):
                    yield late
                    late = []
                late.append(batch.pop())
            yield batch
        if late:
            yield late

    @cached_property
    def _sampler(self) -> CutSampler:
        with warnings.catch_warnings():
            # An eager cut set is what a manifest that fits into memory should be.
            warnings.filterwarnings("ignore", message=".*eagerly read CutSet")
            return self._new_sampler()

    def _new_sampler(self) -> CutSampler:
        from lhotse.dataset import DynamicBucketingSampler, DynamicCutSampler

        cuts, limits = _cuts(self._clips.values()), self._limits
        size = {"max_duration": limits.seconds, "max_cuts": limits.clips, "shuffle": True, "seed": self._seed}
        # Whole batches in every process: the training loop shares them out itself.
        size |= {"world_size": 1, "rank": 0}
        buckets = min(MOST_BUCKETS, len(self._clips) // CLIPS_IN_BUCKET) if self._bucketed else 0
        # lhotse cannot cut a handful of clips into buckets.
        if buckets < 2:
            return DynamicCutSampler(cuts, **size)
        return DynamicBucketingSampler(cuts, num_buckets=buckets, **size)


def _cuts(clips: Iterable[Clip]) -> CutSet:
    from lhotse import CutSet, MonoCut

    return CutSet.from_cuts(MonoCut(id=clip.source, start=0.0, duration=clip.duration, channel=0) for clip in clips)


def behind_one_another(epochs: Callable[[int], Iterable[B]], start: Position) -> Iterator[tuple[Position, B]]:
    """Yields the batches of epoch after epoch for ever, from `start` on, each with the position that comes after it."""
    epoch, skip = start.epoch, start.batch
    while True:
        for number, batch in enumerate(epochs(epoch), start=1):
            if number > skip:
                yield Position(epoch, number), batch
        epoch, skip = epoch + 1, 0


def check_clips(clips: Sequence[Clip], limits: BatchLimits) -> None:
    """Checks that batches can be made of clips.

    Raises:
        DataError: There is no clip, or one alone is more than a batch.
    """
    if not clips:
        raise DataError("no clip to train on: the training split is empty")
    seconds = math.inf if limits.seconds is None else limits.seconds
    longest = max(clips, key=lambda clip: clip.duration)
    if longest.duration > seconds:
        raise DataError(
            f"{longest.source}: clip {longest.id!r} lasts {longest.duration:.1f} s, more than a whole batch of"
            f" {seconds:g} s: raise the batch size in seconds or drop the clip"
        )


def pad(clips: Sequence[Clip], waveforms: Sequence[Waveform]) -> WaveBatch:
    """Pads waveforms of shape `(samples,)` with zeros into one batch."""
    import torch

    lengths = [len(samples) for samples in waveforms]
    padded = np.zeros((len(waveforms), max(lengths)), dtype=np.float32)
    for row, samples in zip(padded, waveforms, strict=True):
        row[: len(samples)] = samples
    return WaveBatch(tuple(clips), torch.from_numpy(padded), torch.tensor(lengths))


def widen(rows: torch.Tensor, width: int) -> torch.Tensor:
    """Rows `(batch, n)` padded with zeros, or False, to at least `width`."""
    from torch.nn import functional

    return functional.pad(rows, (0, max(0, width - rows.shape[1])))


def chance(seed: int, number: int, clip: Clip) -> np.random.Generator:
    """Random numbers for a clip in batch `number` of a run, whatever else is in the batch or in a part of it."""
    return np.random.default_rng([seed, number, crc32(clip.id.encode())])


def crop(samples: Waveform, seconds: float, rng: np.random.Generator) -> Waveform:
    """Cuts `seconds` out of a waveform of shape `(samples,)` at a random place; a shorter one stays whole."""
    keep = round(seconds * SAMPLE_RATE)
    if len(samples) <= keep:
        return samples
    start = int(rng.integers(0, len(samples) - keep + 1))
    return samples[start : start + keep]
