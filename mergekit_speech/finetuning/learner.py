"""An encoder with a task head, trained stably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.finetuning.method import STABLE, Method
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task


@dataclass(frozen=True)
class TaskBatch:
    """Waveforms with their answers.

    Attributes:
        audio: Padded waveforms.
        targets: See `Task.targets`.
    """

    audio: WaveBatch
    targets: Sequence[torch.Tensor]


class StableFineTuning(StableLearner):
    """A task head on the encoder's last hidden state."""

    def __init__(
        self, encoder: PretrainedEncoder, task: Task, labels: Labels, thaw: int, method: Method = STABLE
    ) -> None:
        """Builds the head; see `StableLearner`.

        Args:
            encoder: What is fine-tuned; owned from here on.
            task: What on.
            labels: Outputs of the head.
            thaw: First step, counted from 0, that updates the encoder.
            method: What is done otherwise.

        Raises:
            SettingsError: The method does not suit the encoder.
        """
        super().__init__(encoder, task.tuning_head(encoder.dim, len(labels)), thaw, method)
        self._task = task

    def objective(self, batch: TaskBatch) -> torch.Tensor:
        """See `StableLearner.objective`."""
        output, lengths = self.predict(batch.audio)
        return self._task.loss(output, lengths, batch.targets)

    def predict(self, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs encoder and head.

        Returns:
            The head's output and the frames of each row that hold audio, shape `(batch,)`.
        """
        frames = self.encoder(audio.waveforms.to(self.device), audio.lengths.to(self.device))
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
