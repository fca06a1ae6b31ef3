"""Which stream a task's clips come from."""

from __future__ import annotations

from itertools import islice

from mergekit_speech.registry import TASKS
from mergekit_speech.speech.balanced import BalancedStream
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.tasks.parts.drawing import draw
from tests.speech.corpus import make_clip

CLIPS = [make_clip(str(number), label="yes" if number == 0 else "no", phones=["A"]) for number in range(20)]


def test_keywords_are_drawn_equally_often() -> None:
    task = TASKS.load("ks")
    stream = draw(task, CLIPS, task.labels(CLIPS), BatchLimits(clips=20), 0)
    assert isinstance(stream, BalancedStream)
    drawn = [clip.fields["label"] for _, batch in islice(stream.batches(), 50) for clip in batch]
    assert 0.4 < drawn.count("yes") / len(drawn) < 0.6


def test_other_tasks_hear_each_clip_once_an_epoch() -> None:
    task = TASKS.load("pr")
    stream = draw(task, CLIPS, task.labels(CLIPS), BatchLimits(clips=20), 0)
    assert isinstance(stream, ClipStream)
    ((_, batch),) = islice(stream.batches(), 1)
    assert sorted(clip.id for clip in batch) == sorted(clip.id for clip in CLIPS)


def test_lengths_meet_by_chance_where_they_are_not_bucketed() -> None:
    clips = [make_clip(str(number), duration=1.0 + number, phones=["A"]) for number in range(80)]
    task = TASKS.load("pr")
    spreads = {}
    for bucketed in (True, False):
        stream = draw(task, clips, task.labels(clips), BatchLimits(clips=8), 0, bucketed=bucketed)
        lengths = [[clip.duration for clip in batch] for _, batch in islice(stream.batches(), 10)]
        spreads[bucketed] = sum(max(batch) - min(batch) for batch in lengths) / len(lengths)
    assert spreads[True] < 25 < 50 < spreads[False]
