"""The contract of a task: one definition that fine-tuning trains with the encoder and probing without it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import read_manifest
from mergekit_speech.tasks.parts.labels import Labels

HeadBuilder = Callable[[int, int], nn.Module]
"""Makes a head from the dimensions of a hidden state and the number of outputs."""


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Attributes:
        name: As results and reference sets of the SUPERB score spell it.
        title: As tables show it.
        lower_is_better: Its direction.
    """

    name: str
    title: str
    lower_is_better: bool


@dataclass(frozen=True)
class Budget:
    """How long and how to train a head, or a head with its encoder.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Adam's, at its peak.
        clips: Clips in a batch.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
    """

    steps: int
    learning_rate: float
    clips: int
    accumulate: int
    evaluate_every: int


@dataclass(frozen=True)
class Splits:
    """A task's clips.

    Attributes:
        train: Labelled clips to learn from.
        valid: Clips that pick the checkpoint.
        test: Clips that give the reported figures.
    """

    train: Sequence[Clip]
    valid: Sequence[Clip]
    test: Sequence[Clip]


@dataclass(frozen=True)
class Task(abc.ABC):
    """A task: its data, head, loss and metrics.

    Attributes:
        name: As on the command line; its manifest is `DATA/<name>/manifest.jsonl`.
        title: In words.
        field: The manifest field that holds the answer.
        metrics: What is reported; the first one picks the best checkpoint.
        probe_head: The head that SUPERB trains on a frozen encoder.
        tuning_head: The head that fine-tuning trains with the encoder.
        probing: SUPERB's budget.
        tuning: Fine-tuning's budget.
    """

    name: str
    title: str
    field: str
    metrics: tuple[Metric, ...]
    probe_head: HeadBuilder
    tuning_head: HeadBuilder
    probing: Budget
    tuning: Budget

    @abc.abstractmethod
    def answer(self, clip: Clip) -> Sequence[str]:
        """The clip's answer as symbols.

        Raises:
            DataError: The manifest's field does not hold what the task expects.
        """

    @abc.abstractmethod
    def labels(self, train: Sequence[Clip]) -> Labels:
        """The outputs of a head, made from the training clips alone."""

    @abc.abstractmethod
    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """Mean loss of a batch.

        Args:
            output: What the head gave.
            lengths: Frames of each row that hold audio, shape `(batch,)`.
            targets: Label indices of each clip, shape `(symbols,)`.
        """

    @abc.abstractmethod
    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[list[str]]:
        """The head's answer to each clip of a batch, as symbols; arguments as in `loss`."""

    @abc.abstractmethod
    def score(self, answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Mapping[str, float]:
        """Every metric over a whole split, as fractions."""

    def splits(self, data: Path) -> Splits:
        """Reads the task's manifest and checks that every clip has an answer that the training split knows.

        Raises:
            DataError: A split is empty, a field is missing, or a label does not occur in the training split.
        """
        clips = read_manifest(data, self.name, [self.field])
        chosen = {name: [clip for clip in clips if clip.split == name] for name in ("train", "valid", "test")}
        for name, part in chosen.items():
            if not part:
                raise DataError(
                    f"{data / self.name / 'manifest.jsonl'}: no clip has split {name!r}; task {self.name} needs"
                    " train, valid and test"
                )
        labels = self.labels(chosen["train"])
        for clip in (*chosen["valid"], *chosen["test"]):
            labels.indices(self.answer(clip), clip)
        return Splits(**chosen)

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """Label indices of each clip, int64, shape `(symbols,)`.

        Raises:
            DataError: A clip's answer holds a symbol that `labels` does not have.
        """
        return [torch.tensor(labels.indices(self.answer(clip), clip)) for clip in clips]

    def field_of(self, clip: Clip) -> Any:
        """The manifest field that holds the answer, as it stands there."""
        return clip.fields[self.field]
