"""The one interface behind which training and probing see every encoder."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Frames:
    """Hidden states of a batch.

    Attributes:
        states: One tensor a layer, the input of the first layer first, each of shape `(batch, frames, dim)`.
        lengths: int64, frames of each row that hold audio, shape `(batch,)`.
    """

    states: tuple[torch.Tensor, ...]
    lengths: torch.Tensor

    @property
    def last(self) -> torch.Tensor:
        """The encoder's output, shape `(batch, frames, dim)`."""
        return self.states[-1]


class Encoder(nn.Module, abc.ABC):
    """Turns 16 kHz waveforms into hidden states.

    Attributes:
        dim: Dimensions of a hidden state.
        depth: Number of hidden states: transformer layers + 1.
        stride: Samples between two frames.
    """

    dim: int
    depth: int
    stride: int

    @property
    def hears_padding(self) -> bool:
        """Whether the states of a row change with the padding behind it, so that only equal lengths share a batch."""
        return True

    @abc.abstractmethod
    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
        """Encodes a batch.

        Args:
            waveforms: float32 in [-1, 1], zero-padded, shape `(batch, samples)`.
            lengths: int64, samples of each row that are audio, shape `(batch,)`.
        """


def frame_mask(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """True where a row holds audio: bool, shape `(batch, frames)`, from lengths of shape `(batch,)`."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]
