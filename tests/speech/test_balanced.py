"""Balanced drawing: classes equally often, batches full, any position taken up."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.speech.balanced import BalancedStream
from mergekit_speech.speech.batches import BatchLimits, Position
from mergekit_speech.speech.clip import Clip
from tests.speech.corpus import make_clip

CLIPS = [make_clip(str(number), label="rare" if number % 10 == 0 else "frequent") for number in range(50)]


def stream(seed: int = 0, limits: BatchLimits = BatchLimits(clips=8)) -> BalancedStream:  # noqa: B008
    return BalancedStream(CLIPS, [clip.fields["label"] for clip in CLIPS], limits, seed)


def names(batches: list[tuple[Position, list[Clip]]]) -> list[list[str]]:
    return [[clip.id for clip in batch] for _, batch in batches]


def test_classes_are_equally_frequent() -> None:
    drawn = Counter(clip.fields["label"] for _, batch in islice(stream().batches(), 700) for clip in batch)
    assert drawn["rare"] / drawn.total() == pytest.approx(0.5, abs=0.03)


def test_an_epoch_draws_as_many_clips_as_there_are() -> None:
    batches = list(islice(stream().batches(), 7))
    assert [len(batch) for _, batch in batches] == [8] * 6 + [2]
    assert [position for position, _ in batches] == [Position(0, number) for number in range(1, 8)]


def test_limit_in_seconds_closes_a_batch() -> None:
    batches = islice(stream(limits=BatchLimits(seconds=3.5)).batches(), 20)
    assert {len(batch) for _, batch in batches} == {2, 3}


def test_order_follows_seed_and_epoch_and_can_be_taken_up() -> None:
    whole = list(islice(stream().batches(), 20))
    assert names(whole) == names(list(islice(stream().batches(), 20)))
    assert names(whole) != names(list(islice(stream(seed=1).batches(), 20)))
    assert names(whole[:7]) != names(whole[7:14])
    assert whole[9:] == list(islice(stream().batches(whole[8][0]), 11))


def test_no_clip_is_refused() -> None:
    with pytest.raises(DataError, match="no clip to train on: the training split is empty"):
        BalancedStream([], [], BatchLimits(clips=1), 0)
