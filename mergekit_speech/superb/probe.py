"""A probe: a task's head on the weighted sum of a frozen encoder's hidden states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.learner import Learner

EVALUATED_TOGETHER = 32


class States(Protocol):
    """Where hidden states come from."""

    def read(self, clip: Clip) -> torch.Tensor:
        """The clip's hidden states, shape `(depth, frames, dim)`."""

    def read_mean(self, clip: Clip) -> torch.Tensor:
        """Their mean over frames, shape `(depth, 1, dim)`."""


@dataclass(frozen=True)
class ProbeBatch:
    """Clips with their answers; the probe itself looks up the hidden states.

    Attributes:
        clips: In the order of the targets.
        targets: See `Task.targets`.
    """

    clips: Sequence[Clip]
    targets: Sequence[torch.Tensor]


class Probe(Learner):
    """The softmax-weighted sum over all hidden states, and the task's head; the encoder is no part of it.

    Source: SUPERB (arXiv 2105.01051), section 3: weights start equal, no layer norm before the sum.
    """

    def __init__(self, task: Task, labels: Labels, states: States, *, depth: int, dim: int) -> None:
        """Builds a fresh head.

        Args:
            task: What to learn.
            labels: Outputs of the head.
            states: Where hidden states come from.
            depth: Number of hidden states of a clip.
            dim: Dimensions of a hidden state.
        """
        super().__init__()
        self.layers = nn.Parameter(torch.zeros(depth))
        self.head = task.probe_head(dim, len(labels))
        self._task = task
        self._read = states.read_mean if mean_suffices(task) else states.read

    def forward(self, batch: ProbeBatch) -> torch.Tensor:
        """See `Learner.forward`."""
        output, lengths = self.predict(batch.clips)
        return self._task.loss(output, lengths, batch.targets)

    def predict(self, clips: Sequence[Clip]) -> tuple[Any, torch.Tensor]:
        """Runs the head.

        Returns:
            The head's output and the frames of each row that hold audio, int64, shape `(batch,)`.
        """
        rows = self.features(clips)
        lengths = torch.tensor([len(row) for row in rows], device=self.layers.device)
        return self.head(_pad(rows), lengths), lengths

    def features(self, clips: Sequence[Clip]) -> list[torch.Tensor]:
        """The weighted sum for each clip, shape `(frames, dim)`; one frame where the mean suffices."""
        weights = self.layers.softmax(dim=0)
        # A product of a vector and a view: states are never copied, nor padded at full depth.
        states = (self._read(clip).to(self.layers.device) for clip in clips)
        return [(weights @ layers.flatten(1)).view(layers.shape[1:]) for layers in states]

    def layer_weights(self) -> list[float]:
        """The share of each hidden state in the sum, the input of the first layer first."""
        return [float(weight) for weight in self.layers.detach().softmax(dim=0)]


def mean_suffices(task: Task) -> bool:
    """Whether the task's head says that it needs no more than the mean of the hidden states over frames."""
    return bool(getattr(task.probe_head, "mean_suffices", False))


def answer(probe: Probe, task: Task, labels: Labels, clips: Sequence[Clip]) -> Mapping[str, Any]:
    """The probe's answer to each clip, by the clip's id."""
    answers: dict[str, Any] = {}
    by_length = sorted(clips, key=lambda clip: clip.duration)
    with torch.no_grad():
        for start in range(0, len(by_length), EVALUATED_TOGETHER):
            batch = by_length[start : start + EVALUATED_TOGETHER]
            said = task.decode(*probe.predict(batch), labels)
            answers.update(zip((clip.id for clip in batch), said, strict=True))
    return answers


def _pad(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    # The backward pass of torch's pad_sequence copies the whole batch once for each row.
    longest = max(len(row) for row in rows)
    padded = [part for row in rows for part in (row, row.new_zeros(longest - len(row), row.shape[1]))]
    return torch.cat(padded).view(len(rows), longest, -1)
