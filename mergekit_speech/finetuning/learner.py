"""An encoder with a task head, trained stably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.learner import Learner


@dataclass(frozen=True)
class TaskBatch:
    """Waveforms with their answers.

    Attributes:
        audio: Padded waveforms.
        targets: See `Task.targets`.
    """

    audio: WaveBatch
    targets: Sequence[torch.Tensor]


class StableFineTuning(Learner):
    """The head reads the encoder's last hidden state; the CNN never moves, the rest of the encoder after the thaw.

    An encoder without a CNN moves as a whole.

    Source: Speech-FT (arXiv 2502.12672), section III.
    """

    def __init__(self, encoder: PretrainedEncoder, task: Task, labels: Labels, thaw: int) -> None:
        """Freezes what never moves and builds the head.

        Args:
            encoder: What is fine-tuned.
            task: What on.
            labels: Outputs of the head.
            thaw: First step, counted from 0, that updates the encoder.
        """
        super().__init__()
        encoder.freeze()
        self.encoder = encoder
        self.head = task.tuning_head(encoder.dim, len(labels))
        self._task, self._thaw = task, thaw
        self._thawed: bool | None = None

    def trained(self) -> list[nn.Parameter]:
        """See `Learner.trained`: the head, and the encoder but for what never moves."""
        return [*self.head.parameters(), *self.encoder.merged_parameters().values()]

    def enter(self, step: int) -> bool:
        """See `Learner.enter`: thaws the encoder when its step has come."""
        thawed = step >= self._thaw
        changed = thawed is not self._thawed
        if changed:
            for parameter in self.encoder.merged_parameters().values():
                parameter.requires_grad_(thawed)
            self._thawed = thawed
        return changed

    def forward(self, batch: TaskBatch) -> torch.Tensor:
        """See `Learner.forward`."""
        output, lengths = self.predict(batch.audio)
        return self._task.loss(output, lengths, batch.targets)

    def predict(self, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs encoder and head.

        Returns:
            The head's output and the frames of each row that hold audio, shape `(batch,)`.
        """
        device = next(self.head.parameters()).device
        frames = self.encoder(audio.waveforms.to(device), audio.lengths.to(device))
        return self.head(frames.last, frames.lengths), frames.lengths


class TaskBatches:
    """Reads clips and pads them, with their targets."""

    def __init__(self, task: Task, labels: Labels, audio: AudioStore) -> None:
        """Keeps what it takes to make batches."""
        self._task, self._labels, self._audio = task, labels, audio

    def __call__(self, clips: Sequence[Clip], number: int) -> TaskBatch:
        """Makes a batch; nothing in it is random, so its `number` is not used."""
        return TaskBatch(
            pad(clips, [self._audio.read(clip) for clip in clips]), self._task.targets(clips, self._labels)
        )
