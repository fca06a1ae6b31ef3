"""Batches: every clip once an epoch, within the limits, in an order that any position of the stream can take up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.speech.batches import BatchLimits, ClipStream, Position, crop, pad
from mergekit_speech.speech.clip import Clip
from tests.speech.corpus import make_clip, noise

CORPORA = st.lists(st.floats(0.5, 10.0), min_size=1, max_size=40).map(
    lambda durations: [make_clip(str(number), duration) for number, duration in enumerate(durations)]
)
LIMITS = st.builds(BatchLimits, seconds=st.floats(10.0, 40.0), clips=st.none() | st.integers(1, 8)) | st.builds(
    BatchLimits, clips=st.integers(1, 8)
)
SEEDS = st.integers(0, 5)
START = Position()
Item = tuple[Position, list[str]]


def take(stream: ClipStream, count: int, start: Position = START) -> list[Item]:
    return [(position, [clip.id for clip in clips]) for position, clips in islice(stream.batches(start), count)]


def epoch(stream: ClipStream, number: int) -> list[list[str]]:
    batches: list[list[str]] = []
    for position, clips in stream.batches(Position(number)):
        if position.epoch != number:
            return batches
        batches.append([clip.id for clip in clips])
    raise AssertionError("a stream of batches does not end")


@settings(max_examples=40, deadline=None)
@given(CORPORA, LIMITS, SEEDS, st.integers(0, 3))
def test_every_clip_comes_once_an_epoch_within_the_limits(
    clips: list[Clip], limits: BatchLimits, seed: int, number: int
) -> None:
    durations = {clip.id: clip.duration for clip in clips}
    batches = epoch(ClipStream(clips, limits, seed), number)
    assert sorted(name for batch in batches for name in batch) == sorted(durations)
    for batch in batches:
        assert limits.clips is None or len(batch) <= limits.clips
        padded = len(batch) * max(durations[name] for name in batch)
        assert limits.seconds is None or padded <= limits.seconds + 1e-6


@settings(max_examples=40, deadline=None)
@given(CORPORA, LIMITS, SEEDS, st.integers(1, 30), st.data())
def test_stream_can_be_taken_up_anywhere(
    clips: list[Clip], limits: BatchLimits, seed: int, count: int, data: st.DataObject
) -> None:
    whole = take(ClipStream(clips, limits, seed), count)
    cut = data.draw(st.integers(0, count - 1))
    start = whole[cut - 1][0] if cut else Position()
    assert take(ClipStream(clips, limits, seed), count - cut, start) == whole[cut:]


def test_order_depends_on_seed_and_epoch() -> None:
    clips = [make_clip(str(number), 1 + number % 7) for number in range(60)]
    limits = BatchLimits(clips=4)
    assert epoch(ClipStream(clips, limits, 0), 0) == epoch(ClipStream(clips, limits, 0), 0)
    assert epoch(ClipStream(clips, limits, 0), 0) != epoch(ClipStream(clips, limits, 1), 0)
    assert epoch(ClipStream(clips, limits, 0), 0) != epoch(ClipStream(clips, limits, 0), 1)


def test_clips_of_a_batch_have_similar_lengths() -> None:
    clips = [make_clip(str(number), 1 + number / 20) for number in range(200)]
    durations = {clip.id: clip.duration for clip in clips}
    batches = [[durations[name] for name in batch] for batch in epoch(ClipStream(clips, BatchLimits(clips=4), 0), 0)]
    spread = [max(batch) - min(batch) for batch in batches]
    assert sum(spread) / len(spread) < 2.5


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 120), st.floats(0.5, 5.0), LIMITS, SEEDS)
def test_clips_of_one_length_fill_their_batches(count: int, duration: float, limits: BatchLimits, seed: int) -> None:
    clips = [make_clip(str(number), duration) for number in range(count)]
    batches = epoch(ClipStream(clips, limits, seed), 0)
    assert sorted(name for batch in batches for name in batch) == sorted(clip.id for clip in clips)


def test_clips_of_two_manifests_may_share_an_id() -> None:
    one, other = make_clip("a"), make_clip("a")
    clips = [one, Clip("a", other.path, 1.0, "train", {}, "other.jsonl:1")]
    assert epoch(ClipStream(clips, BatchLimits(clips=4), 0), 0) == [["a", "a"]]


def test_no_clip_at_all() -> None:
    with pytest.raises(DataError, match=r"^no clip to train on: the training split is empty$"):
        ClipStream([], BatchLimits(clips=1), 0)


def test_clip_longer_than_a_batch() -> None:
    with pytest.raises(DataError) as caught:
        ClipStream([make_clip("a", 3), make_clip("b", 12.34)], BatchLimits(seconds=10), 0)
    assert str(caught.value) == (
        "manifest.jsonl:b: clip 'b' lasts 12.3 s, more than a whole batch of 10 s:"
        " raise the batch size in seconds or drop the clip"
    )


def test_batch_without_a_limit() -> None:
    with pytest.raises(SettingsError, match=r"^a batch needs a limit: give seconds of audio, clips, or both$"):
        BatchLimits()


@pytest.mark.parametrize(
    ("limits", "text"), [({"clips": 0}, "clips .* got 0"), ({"seconds": -1.0}, "seconds .* got -1.0")]
)
def test_limit_that_no_batch_keeps(limits: dict[str, int], text: str) -> None:
    with pytest.raises(SettingsError, match=text.replace(".*", "of a batch must be above 0,")):
        BatchLimits(**limits)


def test_padding_adds_zeros_and_keeps_lengths() -> None:
    clips, waveforms = [make_clip("a"), make_clip("b")], [noise(0.2), noise(0.1, seed=1)]
    batch = pad(clips, waveforms)
    assert batch.clips == tuple(clips)
    assert batch.waveforms.shape == (2, 3200)
    assert batch.waveforms.dtype == torch.float32
    assert batch.lengths.tolist() == [3200, 1600]
    assert np.array_equal(batch.waveforms[0].numpy(), waveforms[0])
    assert np.array_equal(batch.waveforms[1, :1600].numpy(), waveforms[1])
    assert not batch.waveforms[1, 1600:].any()


@given(st.integers(1, 2000), st.integers(1, 2000), SEEDS)
def test_crop_is_a_piece_of_the_waveform(length: int, wanted: int, seed: int) -> None:
    samples = np.arange(length, dtype=np.float32)
    piece = crop(samples, wanted / 16_000, np.random.default_rng(seed))
    assert len(piece) == min(length, wanted)
    assert piece.tolist() == list(range(int(piece[0]), int(piece[0]) + len(piece)))


def test_crop_reaches_both_ends() -> None:
    samples, rng = np.arange(6, dtype=np.float32), np.random.default_rng(0)
    starts: Sequence[int] = [int(crop(samples, 4 / 16_000, rng)[0]) for _ in range(50)]
    assert set(starts) == {0, 1, 2}
