"""PC: frame-wise phoneme classification. Manifest field `alignment`: a list of [start, end, phone], seconds.

Two linear maps and a cross-entropy at each frame. A frame takes the phone that is said at its middle; frames that no
phone covers are passed over. Phones are those of the training clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.heads import FrameLinear
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once, ratios
from mergekit_speech.tasks.parts.stretches import Stretch, read_stretches
from mergekit_speech.tasks.parts.task import Budget, Metric, Task

NONE = -100
"""The label of a frame that no phone covers, which the loss passes over."""


@dataclass(frozen=True, kw_only=True)
class FrameTask(Task):
    """A task of one label a frame: frame-wise head, cross-entropy.

    The answer to a clip is the label of each frame. Rows: `right` and `frames`, numbers of frames with a label.
    """

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`."""
        return Labels.of(stretch.label for clip in train for stretch in self._read(clip))

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: start, end and label of each stretch, shape `(stretches, 3)`.

        Times are parts of the clip, so that they fit any frame rate.

        Raises:
            DataError: The field is malformed, stretches overlap, or a label does not occur in the training split.
        """
        return [self._stretches(clip, labels) for clip in clips]

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`: the mean over frames with a label; `output` has shape `(batch, frames, labels)`."""
        truth = torch.full(output.shape[:2], NONE, device=output.device)
        for row, stretches, length in zip(truth, targets, lengths.tolist(), strict=True):
            row[:length] = label_frames(stretches, length).to(row.device)
        summed = functional.cross_entropy(output.float().flatten(0, 1), truth.flatten(), reduction="sum")
        return summed / (truth != NONE).sum().clamp(min=1)

    def items(self, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> int:
        """See `Task.items`: frames that lie in a phone."""
        rows = zip(targets, lengths.tolist(), strict=True)
        return sum(int((label_frames(stretches, length) != NONE).sum()) for stretches, length in rows)

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[list[str]]:
        """See `Task.decode`: the best label of each frame."""
        best = output.argmax(dim=-1).cpu()
        rows = zip(best, lengths.tolist(), strict=True)
        return [[labels.names[index] for index in row[:length].tolist()] for row, length in rows]

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        counts = [self._count(answers[clip.id], clip) for clip in clips]
        return {"right": np.array([right for right, _ in counts]), "frames": np.array([frames for _, frames in counts])}

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`: the share of all labelled frames."""
        return counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return ratios(rows, counts, {"acc": ("right", "frames")})

    def _read(self, clip: Clip) -> list[Stretch]:
        return read_stretches(clip, self.field, "phone")

    def _stretches(self, clip: Clip, labels: Labels) -> torch.Tensor:
        stretches = sorted(self._read(clip), key=lambda stretch: stretch.start)
        _refuse_overlap(stretches, clip, self.field)
        indices = labels.indices([stretch.label for stretch in stretches], clip)
        return torch.tensor(
            [
                [stretch.start / clip.duration, stretch.end / clip.duration, index]
                for stretch, index in zip(stretches, indices, strict=True)
            ]
        )

    def _count(self, answer: Sequence[str], clip: Clip) -> tuple[int, int]:
        names = Labels.of(stretch.label for stretch in self._read(clip))
        truth = label_frames(self._stretches(clip, names), len(answer)).tolist()
        pairs = [(said, names.names[index]) for said, index in zip(answer, truth, strict=True) if index != NONE]
        return sum(said == name for said, name in pairs), len(pairs)


def label_frames(stretches: torch.Tensor, frames: int) -> torch.Tensor:
    """The label at the middle of each frame, int64, shape `(frames,)`; `NONE` where there is none.

    Args:
        stretches: See `FrameTask.targets`.
        frames: Frames of the whole clip, equally long.
    """
    middle = (torch.arange(frames) + 0.5) / frames
    inside = (stretches[:, 0, None] <= middle) & (middle < stretches[:, 1, None])
    labelled = torch.where(inside, stretches[:, 2, None].long(), NONE)
    return labelled.amax(dim=0)


def _refuse_overlap(stretches: Sequence[Stretch], clip: Clip, field: str) -> None:
    for before, after in pairwise(stretches):
        if after.start < before.end:
            raise DataError(
                f"{clip.source}: {field} must hold one label at a time, got {after.label!r} from {after.start:g} s on"
                f" while {before.label!r} lasts until {before.end:g} s"
            )


TASK = FrameTask(
    name="pc",
    title="phoneme classification",
    field="alignment",
    metrics=(Metric("acc", "frame accuracy", lower_is_better=False),),
    probe_head=FrameLinear,
    tuning_head=FrameLinear,
    probing=Budget(steps=50_000, learning_rate=1e-3, clips=16, accumulate=1, evaluate_every=1000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=16, accumulate=1, evaluate_every=2000),
    folders=("pc", "pr"),
)
