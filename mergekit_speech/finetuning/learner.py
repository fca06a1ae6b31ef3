"""An encoder with a task head, trained stably."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.finetuning.adapters import add_adapters, fold_adapters
from mergekit_speech.finetuning.ema import Ema
from mergekit_speech.finetuning.l2 import L2ToBase
from mergekit_speech.finetuning.method import STABLE, Method
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

    An encoder without a CNN moves as a whole. A `Method` may say otherwise.

    Source: Speech-FT (arXiv 2502.12672), section III.

    Attributes:
        encoder: What is fine-tuned.
        head: What reads it.
        ema: The moving average of all weights that move, if the method asks for one.
    """

    def __init__(
        self, encoder: PretrainedEncoder, task: Task, labels: Labels, thaw: int, method: Method = STABLE
    ) -> None:
        """Freezes what never moves and builds the head.

        Args:
            encoder: What is fine-tuned; owned from here on.
            task: What on.
            labels: Outputs of the head.
            thaw: First step, counted from 0, that updates the encoder.
            method: What is done otherwise.

        Raises:
            SettingsError: The method does not suit the encoder.
        """
        super().__init__()
        encoder.freeze(cnn=not method.train_cnn)
        self.encoder = encoder
        self.head = task.tuning_head(encoder.dim, len(labels))
        if method.adapter:
            add_adapters(encoder, method.adapter)
        moving = {name: each for name, each in encoder.model.named_parameters() if each.requires_grad}
        self._moving = list(moving.values())
        self._l2 = L2ToBase(moving, encoder.depth - 1, method.l2) if method.l2 else None
        self.ema = Ema(self.trained(), method.ema) if method.ema else None
        self._task, self._thaw = task, thaw
        self._thawed: bool | None = None

    def trained(self) -> list[nn.Parameter]:
        """See `Learner.trained`: the head, and what moves of the encoder."""
        return [*self.head.parameters(), *self._moving]

    def enter(self, step: int) -> bool:
        """See `Learner.enter`: thaws the encoder when its step has come."""
        thawed = step >= self._thaw
        changed = thawed is not self._thawed
        if changed:
            for parameter in self._moving:
                parameter.requires_grad_(thawed)
            self._thawed = thawed
        return changed

    def forward(self, batch: TaskBatch) -> torch.Tensor:
        """See `Learner.forward`."""
        output, lengths = self.predict(batch.audio)
        loss = self._task.loss(output, lengths, batch.targets)
        return loss if self._l2 is None or not self._thawed else loss + self._l2()

    def predict(self, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs encoder and head.

        Returns:
            The head's output and the frames of each row that hold audio, shape `(batch,)`.
        """
        device = next(self.head.parameters()).device
        frames = self.encoder(audio.waveforms.to(device), audio.lengths.to(device))
        return self.head(frames.last, frames.lengths), frames.lengths

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Has the weights in place that are judged and kept, for as long as the block lasts."""
        if self.ema is None:
            yield
        else:
            with self.ema.in_place():
                yield

    def tuned(self) -> PretrainedEncoder:
        """The encoder as it is kept: a copy, averaged if the method says so, with adapters added to its weights."""
        with self.judged():
            encoder = copy.deepcopy(self.encoder)
        fold_adapters(encoder)
        return encoder


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
