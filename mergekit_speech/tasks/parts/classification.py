"""Tasks whose answer is one label for the whole clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows
from mergekit_speech.tasks.parts.task import Metric, Task

ACCURACY = Metric("acc", "accuracy", lower_is_better=False)


@dataclass(frozen=True, kw_only=True)
class ClassificationTask(Task):
    """A task of one label a clip: utterance-level head, cross-entropy.

    The answer to a clip is its label. Rows: `truth` and `answer`, texts.
    """

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`."""
        return Labels.of(self.text_of(clip) for clip in train)

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: the label's index, int64, shape `(1,)`."""
        return [torch.tensor(labels.indices([self.text_of(clip)], clip)) for clip in clips]

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`; `output` has shape `(batch, labels)`."""
        return functional.cross_entropy(output.float(), torch.cat(list(targets)).to(output.device))

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[str]:
        """See `Task.decode`."""
        return [labels.names[index] for index in output.argmax(dim=-1).tolist()]

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        return {
            "truth": np.array([self.text_of(clip) for clip in clips]),
            "answer": np.array([answers[clip.id] for clip in clips]),
        }

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`: accuracy, and the mean over classes of each one's recall where the task reports it."""
        from sklearn.metrics import accuracy_score, recall_score

        truth, said = rows["truth"], rows["answer"]
        recall = float(recall_score(truth, said, average="macro", labels=np.unique(truth), zero_division=0))
        return self._reported({"acc": float(accuracy_score(truth, said)), "uar": recall})

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`: the same by sums over classes."""
        classes, places = np.unique(rows["truth"], return_inverse=True)
        member = np.eye(len(classes))[places]
        total = counts @ member
        hits = counts @ (member * (rows["truth"] == rows["answer"])[:, None])
        recall = np.divide(hits, total, where=total > 0, out=np.zeros_like(hits)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            accuracy, uar = hits.sum(axis=1) / total.sum(axis=1), recall / (total > 0).sum(axis=1)
        return self._reported({"acc": accuracy, "uar": uar})

    def _reported(self, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        return {metric.name: figures[metric.name] for metric in self.metrics}
