"""How well an encoder with its head does on a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from mergekit_speech.finetuning.learner import StableFineTuning
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task


def evaluate(
    learner: StableFineTuning, task: Task, labels: Labels, clips: Sequence[Clip], audio: AudioStore
) -> Mapping[str, float]:
    """Every metric of the task over a split, as fractions.

    Clips are run one at a time: an encoder whose CNN has a group norm hears padding.
    """
    answers: list[list[str]] = []
    with torch.no_grad(), learner.judged():
        for clip in clips:
            output, lengths = learner.predict(pad([clip], [audio.read(clip)]))
            answers += task.decode(output, lengths, labels)
    return task.score(answers, [task.answer(clip) for clip in clips])
