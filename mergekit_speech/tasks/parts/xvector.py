"""The head that tells voices apart: a time-delay network, statistics over time, and an embedding.

Source: Snyder et al., "X-vectors" (ICASSP 2018), in the sizes of s3prl's SUPERB head (`s3prl.nn.SuperbXvector`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from mergekit_speech.encoders.encoder import frame_mask

LAYERS = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))
"""Context in frames and dilation of each layer."""
SPAN = 1 + sum((context - 1) * dilation for context, dilation in LAYERS)
"""Frames behind one output frame."""
LEAST = SPAN + 1
"""Frames with which a deviation over time exists; a shorter clip's last frame is repeated."""


class Voices(NamedTuple):
    """What the head says of a batch.

    Attributes:
        embeddings: What clips are compared by, shape `(batch, 512)`.
        cosines: Similarity to each training speaker, in [-1, 1], shape `(batch, speakers)`.
    """

    embeddings: torch.Tensor
    cosines: torch.Tensor


class XVector(nn.Module):
    """A linear map, five time-delay layers, mean and deviation over time, and two linear maps.

    The second map and the speakers' directions serve training alone: clips are compared by what the first one gives,
    as SUPERB does.
    """

    def __init__(self, dim: int, speakers: int, *, hidden: int = 512, pooled: int = 1500) -> None:
        """Maps `dim` to `hidden`, through layers as wide and a last one of `pooled`, to embeddings of `hidden`."""
        super().__init__()
        widths = [hidden] * len(LAYERS) + [pooled]
        self.project = nn.Linear(dim, hidden)
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, context, dilation=dilation)
            for inputs, outputs, (context, dilation) in zip(widths, widths[1:], LAYERS, strict=False)
        )
        self.embed = nn.Linear(2 * pooled, hidden)
        self.refine = nn.Linear(hidden, hidden)
        self.speakers = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden, speakers)))

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> Voices:
        """Hears hidden states `(batch, frames, dim)` with lengths `(batch,)`."""
        frames, lengths = _lengthen(self.project(hidden), lengths)
        frames = frames.transpose(1, 2)
        for layer in self.layers:
            frames = layer(frames).relu()
        embeddings = self.embed(_statistics(frames, lengths - (SPAN - 1))).relu()
        refined = functional.normalize(self.refine(embeddings).relu(), dim=1)
        return Voices(embeddings, refined @ functional.normalize(self.speakers, dim=0))


def _lengthen(frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if int(lengths.min()) >= LEAST:
        return frames, lengths
    places = torch.arange(max(frames.shape[1], LEAST), device=frames.device)[None, :]
    places = places.minimum(lengths[:, None] - 1)
    return frames.gather(1, places[:, :, None].expand(-1, -1, frames.shape[2])), lengths.clamp(min=LEAST)


def _statistics(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Mean and unbiased deviation over time: `(batch, dim, frames)` to `(batch, 2 * dim)`."""
    audible, count = frame_mask(lengths, frames.shape[2])[:, None, :], lengths[:, None]
    mean = (frames * audible).sum(dim=2) / count
    squares = ((frames - mean[:, :, None]) * audible).square().sum(dim=2)
    # The root has no slope at 0, where a unit is silent throughout.
    return torch.cat([mean, (squares / (count - 1)).clamp(min=1e-12).sqrt()], dim=1)
