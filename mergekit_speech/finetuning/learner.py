"""An encoder with a task head, trained stably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.finetuning.method import STABLE, Method
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, chance, crop, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.masking import specaugment
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

    @property
    def samples(self) -> int:
        """Width with padding, in samples."""
        return self.audio.waveforms.shape[1]

    def widened(self, samples: int) -> TaskBatch:
        """The batch with rows of at least `samples`."""
        return TaskBatch(self.audio.widened(samples), self.targets)


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
        """See `StableLearner.objective`; hidden states are masked as the task wants it."""
        output, lengths = run_head(self, self.head, batch.audio, masked=self._task.masked)
        return self._task.loss(output, lengths, batch.targets)

    def items(self, batch: TaskBatch, clips: Sequence[Clip]) -> int:
        """See `Learner.items`."""
        return self._task.items(self.encoder.frames(batch.audio.lengths), batch.targets)

    def predict(self, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs encoder and head.

        Returns:
            The head's output and the frames of each row that hold audio, shape `(batch,)`.
        """
        return run_head(self, self.head, audio)


def run_head(
    learner: StableLearner, head: nn.Module, audio: WaveBatch, *, masked: bool = False
) -> tuple[Any, torch.Tensor]:
    """Runs an encoder and a head.

    Args:
        learner: Whose encoder.
        head: What reads the last hidden state.
        audio: What is heard.
        masked: Whether hidden states are warped and masked (SpecAugment).

    Returns:
        The head's output and the frames of each row that hold audio, shape `(batch,)`.
    """
    frames = learner.encoder(audio.waveforms.to(learner.device), audio.lengths.to(learner.device))
    hidden = _masked(frames.last, frames.lengths) if masked else frames.last
    return head(hidden, frames.lengths), frames.lengths


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
            waveforms = [
                crop(waveform, self._task.crop, chance(self._seed, number, clip))
                for clip, waveform in zip(clips, waveforms, strict=True)
            ]
        return TaskBatch(pad(clips, waveforms), self._task.targets(clips, self._labels))
