"""Who speaks when: what a manifest says, as frames to learn from, and the loss that forgives their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import torch
from torch.nn import functional

from mergekit_speech.encoders.encoder import frame_mask
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.stretches import Stretch, read_stretches


def read_turns(clip: Clip, field: str) -> list[Stretch]:
    """Who speaks when in a recording: the labels are names of speakers.

    Raises:
        DataError: See `read_stretches`.
    """
    return read_stretches(clip, field, "speaker")


def as_fractions(turns: Sequence[Stretch], duration: float) -> torch.Tensor:
    """Turns as rows of start, end and number of the speaker, shape `(turns, 3)`; times are parts of the recording.

    Speakers are numbered in the order of their names. Fractions need no frame rate: any encoder's frames fit.
    """
    number = {name: place for place, name in enumerate(sorted({turn.label for turn in turns}))}
    return torch.tensor([[turn.start / duration, turn.end / duration, number[turn.label]] for turn in turns])


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
