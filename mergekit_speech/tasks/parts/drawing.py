"""In which order a task's clips are learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech.speech.balanced import BalancedStream
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task


def draw(
    task: Task, clips: Sequence[Clip], labels: Labels, limits: BatchLimits, seed: int, *, bucketed: bool = True
) -> ClipStream | BalancedStream:
    """Gives a task's training clips in batches: each once an epoch, or each answer equally often.

    Args:
        task: What to learn.
        clips: What to draw from.
        labels: Those of the task.
        limits: Size of a batch.
        seed: Decides the order.
        bucketed: Whether clips of a batch have similar lengths, where answers are not balanced.

    Raises:
        DataError: There is no clip, or one alone exceeds the limits.
    """
    if not task.balanced:
        return ClipStream(clips, limits, seed, bucketed=bucketed)
    answers = [tuple(target.flatten().tolist()) for target in task.targets(clips, labels)]
    return BalancedStream(clips, answers, limits, seed)
