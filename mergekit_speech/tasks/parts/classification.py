"""Tasks whose answer is one label for the whole clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Metric, Task

ACCURACY = Metric("acc", "accuracy", lower_is_better=False)


@dataclass(frozen=True)
class ClassificationTask(Task):
    """A task of one label a clip: utterance-level head, cross-entropy."""

    def answer(self, clip: Clip) -> Sequence[str]:
        """See `Task.answer`."""
        value = self.field_of(clip)
        if not isinstance(value, str) or not value:
            raise DataError(f"{clip.source}: {self.field} must be a string, got {value!r:.60}")
        return [value]

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`."""
        return Labels.of(symbol for clip in train for symbol in self.answer(clip))

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`; `output` has shape `(batch, labels)`."""
        return functional.cross_entropy(output.float(), torch.cat(list(targets)).to(output.device))

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[list[str]]:
        """See `Task.decode`."""
        return [[labels.names[index]] for index in output.argmax(dim=-1).tolist()]

    def score(self, answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Mapping[str, float]:
        """See `Task.score`: accuracy, and the mean over classes of each one's recall where the task reports it."""
        from sklearn.metrics import accuracy_score, recall_score

        truth, said = [line[0] for line in references], [line[0] for line in answers]
        recall = float(recall_score(truth, said, average="macro", labels=sorted(set(truth)), zero_division=0))
        figures = {"acc": float(accuracy_score(truth, said)), "uar": recall}
        return {metric.name: figures[metric.name] for metric in self.metrics}
