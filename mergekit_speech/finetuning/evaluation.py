"""The answers of an encoder with its head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.ranks import gathered, share

Predict = Callable[[WaveBatch], tuple[Any, torch.Tensor]]
"""Runs encoder and head: the head's output, and the frames of each row that hold audio."""


def answer(
    learner: StableLearner,
    predict: Predict,
    task: Task,
    labels: Labels,
    clips: Sequence[Clip],
    audio: AudioStore,
) -> Mapping[str, Any]:
    """The answer to each clip, by the clip's id, with the weights that are judged.

    Clips are run one at a time: an encoder whose CNN has a group norm hears padding. Several processes share them, and
    each gets all answers.
    """
    answers: list[tuple[str, Any]] = []
    with torch.no_grad(), learner.judged():
        for clip in share(clips):
            output, lengths = predict(pad([clip], [audio.read(clip)]))
            answers.append((clip.id, task.decode(output, lengths, labels)[0]))
    known = dict(gathered(answers))
    return {clip.id: known[clip.id] for clip in clips}
