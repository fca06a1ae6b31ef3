"""Heads: small models on top of hidden states.

Source: s3prl's SUPERB heads (`s3prl.nn`): `FrameLevelLinear`, `MeanPoolingLinear`, `RNNEncoder`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mergekit_speech.encoders.encoder import frame_mask
from mergekit_speech.tasks.parts.padded_lstm import run_lstm


class FrameLinear(nn.Module):
    """Two linear maps at each frame, multiplied into one before they meet the frames, of which there are many."""

    def __init__(self, dim: int, outputs: int, hidden: int = 256) -> None:
        """Maps `dim` to `hidden` to `outputs`."""
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.classify = nn.Linear(hidden, outputs)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Maps `(batch, frames, dim)` to `(batch, frames, outputs)`."""
        weight = self.classify.weight @ self.project.weight
        bias = self.classify(self.project.bias)
        return functional.linear(hidden, weight, bias)


class MeanPooledLinear(nn.Module):
    """A linear map at each frame, the mean over frames that hold audio, and a linear map.

    The mean of a linear map is the linear map of the mean, so the mean is taken first, which is many times faster.

    Attributes:
        mean_suffices: Says that hidden states may be given as their mean over frames, as one frame a clip.
    """

    mean_suffices = True

    def __init__(self, dim: int, outputs: int, hidden: int = 256) -> None:
        """Maps `dim` to `hidden` to `outputs`."""
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.classify = nn.Linear(hidden, outputs)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Maps `(batch, frames, dim)` with lengths `(batch,)` to `(batch, outputs)`."""
        audible = frame_mask(lengths, hidden.shape[1])[:, :, None]
        mean = (hidden * audible).sum(dim=1) / lengths[:, None]
        output: torch.Tensor = self.classify(self.project(mean))
        return output


class Recurrent(nn.Module):
    """A linear map, bidirectional LSTMs, and a linear map, at each frame."""

    def __init__(self, dim: int, outputs: int, *, project: int, layers: int, hidden: int, dropout: float) -> None:
        """Maps `dim` to `project`, through `layers` LSTMs of `hidden` units a direction, to `outputs`."""
        super().__init__()
        self.project = nn.Linear(dim, project)
        self.lstm = nn.LSTM(project, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * hidden, outputs)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Maps `(batch, frames, dim)` with lengths `(batch,)` to `(batch, frames, outputs)`."""
        states = run_lstm(self.lstm, self.project(hidden), lengths)
        output: torch.Tensor = self.classify(self.dropout(states))
        return output
