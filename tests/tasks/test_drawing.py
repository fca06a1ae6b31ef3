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
