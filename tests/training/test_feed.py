"""The feed: the stream's order, batches numbered over the whole run, errors of the thread that makes them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.speech.batches import BatchLimits, ClipStream, Position
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.feed import Feed
from tests.training.toy import CLIPS


def stream() -> ClipStream:
    return ClipStream(CLIPS, BatchLimits(clips=3), 0)


def test_batches_follow_the_stream_and_are_numbered() -> None:
    fed = list(islice(Feed(stream(), lambda clips, number: (number, len(clips))).batches(Position(), 7), 6))
    plain = list(islice(stream().batches(), 6))
    assert [(position, list(clips)) for position, clips, _ in fed] == plain
    assert [batch for _, _, batch in fed] == [(7 + index, len(clips)) for index, (_, clips) in enumerate(plain)]


def test_feed_can_be_taken_up_anywhere() -> None:
    feed = Feed(stream(), lambda clips, number: number)
    whole = list(islice(feed.batches(Position(), 0), 8))
    assert list(islice(feed.batches(whole[4][0], 5), 3)) == whole[5:]


def test_next_batch_is_made_while_the_current_one_is_used() -> None:
    made = [threading.Event() for _ in range(10)]

    def collate(clips: Sequence[Clip], number: int) -> str:
        made[number].set()
        return threading.current_thread().name

    batches = Feed(stream(), collate).batches(Position(), 0)
    assert next(batches)[2].startswith("feed")
    assert made[1].wait(5)
    assert not made[2].is_set()


def test_error_of_a_batch_comes_with_that_batch() -> None:
    def collate(clips: Sequence[Clip], number: int) -> int:
        if number == 2:
            raise DataError("clip x is broken")
        return number

    batches = Feed(stream(), collate).batches(Position(), 0)
    assert [batch for _, _, batch in islice(batches, 2)] == [0, 1]
    with pytest.raises(DataError, match=r"^clip x is broken$"):
        next(batches)
