"""Who speaks when: what a manifest says, as frames to learn from, and the loss that forgives their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch.nn import functional

from mergekit_speech.encoders.encoder import frame_mask
from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip

TOLERANCE = 0.1
"""Seconds by which a segment may end behind its recording."""


@dataclass(frozen=True)
class Turn:
    """A stretch in which somebody speaks.

    Attributes:
        start: Seconds from the recording's start.
        end: Seconds.
        speaker: Name.
    """

    start: float
    end: float
    speaker: str


def read_turns(clip: Clip, field: str) -> list[Turn]:
    """The turns of a recording, in the manifest's order.

    Raises:
        DataError: The field is not a list of at least one `[start, end, speaker]` within the recording.
    """
    value = clip.fields[field]
    if not isinstance(value, list) or not value:
        raise DataError(f"{clip.source}: {field} must be a list of [start, end, speaker], got {value!r:.60}")
    return [_turn(row, clip, field) for row in value]


def _turn(row: object, clip: Clip, field: str) -> Turn:
    match row:
        case [int() | float() as start, int() | float() as end, str(speaker)] if speaker:
            if 0 <= start < end <= clip.duration + TOLERANCE:
                return Turn(float(start), min(float(end), clip.duration), speaker)
    raise DataError(
        f"{clip.source}: {field} must hold [start, end, speaker] with seconds 0 ≤ start < end ≤"
        f" {clip.duration:g}, got {row!r:.60}"
    )


def as_fractions(turns: Sequence[Turn], duration: float) -> torch.Tensor:
    """Turns as rows of start, end and number of the speaker, shape `(turns, 3)`; times are parts of the recording.

    Speakers are numbered in the order of their names. Fractions need no frame rate: any encoder's frames fit.
    """
    number = {name: place for place, name in enumerate(sorted({turn.speaker for turn in turns}))}
    return torch.tensor([[turn.start / duration, turn.end / duration, number[turn.speaker]] for turn in turns])


def as_frames(turns: torch.Tensor, frames: int, speakers: int) -> torch.Tensor:
    """1 where a speaker speaks at the middle of a frame: float32, shape `(frames, speakers)`.

    Args:
        turns: See `as_fractions`.
        frames: Frames of the whole recording, equally long.
        speakers: Columns.
    """
    middle = (torch.arange(frames) + 0.5)[:, None] / frames
    inside = (turns[:, 0] <= middle) & (middle < turns[:, 1])
    voice = functional.one_hot(turns[:, 2].long(), speakers).float()
    return (inside.float() @ voice).clamp(max=1)


def order_free_loss(output: torch.Tensor, lengths: torch.Tensor, truth: Sequence[torch.Tensor]) -> torch.Tensor:
    """Binary cross-entropy of each recording's best order of speakers, mean over frames and speakers.

    Args:
        output: Logits, shape `(batch, frames, speakers)`.
        lengths: Frames of each row that hold audio, shape `(batch,)`.
        truth: Shape `(length, speakers)` each; see `as_frames`.

    Source: permutation-invariant training as in s3prl's `nn.pit`.
    """
    speakers, audible = output.shape[2], frame_mask(lengths, output.shape[1])
    target = torch.zeros_like(output, dtype=torch.float32)
    for row, frames in zip(target, truth, strict=True):
        row[: len(frames)] = frames
    by_order = torch.stack(
        [(_entropy(output, target[:, :, list(order)]) * audible).sum(dim=1) for order in permutations(range(speakers))]
    )
    return by_order.amin(dim=0).sum() / lengths.sum()


def _entropy(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(output.float(), target, reduction="none").mean(dim=2)
