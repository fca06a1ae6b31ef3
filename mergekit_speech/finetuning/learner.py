"""An encoder with a task head, trained stably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, crop, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.masking import specaugment
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
        """See `Learner.forward`; hidden states are masked as the task wants it."""
        output, lengths = self._run(batch.audio, masked=self._task.masked)
        return self._task.loss(output, lengths, batch.targets)

    def predict(self, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs encoder and head.

        Returns:
            The head's output and the frames of each row that hold audio, shape `(batch,)`.
        """
        return self._run(audio, masked=False)

    def _run(self, audio: WaveBatch, *, masked: bool) -> tuple[Any, torch.Tensor]:
        device = next(self.head.parameters()).device
        frames = self.encoder(audio.waveforms.to(device), audio.lengths.to(device))
        hidden = _masked(frames.last, frames.lengths) if masked else frames.last
        return self.head(hidden, frames.lengths), frames.lengths


def _masked(hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    rows = [specaugment(row[:length]) for row, length in zip(hidden, lengths.tolist(), strict=True)]
    padded = pad_sequence(rows, batch_first=True)
    return functional.pad(padded, (0, 0, 0, hidden.shape[1] - padded.shape[1]))


class TaskBatches:
    """Reads clips, cuts the task's longest stretch out of those that are longer, and pads them, with their targets."""

    def __init__(self, task: Task, labels: Labels, audio: AudioStore, seed: int) -> None:
        """Keeps what it takes to make batches; the seed decides where clips are cut."""
        self._task, self._labels, self._audio, self._seed = task, labels, audio, seed

    def __call__(self, clips: Sequence[Clip], number: int) -> TaskBatch:
        """Makes a batch; its number and the seed decide all that is random."""
        waveforms = [self._audio.read(clip) for clip in clips]
        if self._task.crop is not None:
            generator = np.random.default_rng([self._seed, number])
            waveforms = [crop(waveform, self._task.crop, generator) for waveform in waveforms]
        return TaskBatch(pad(clips, waveforms), self._task.targets(clips, self._labels))
