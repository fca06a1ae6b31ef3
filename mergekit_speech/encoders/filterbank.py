"""Spectral features behind the encoder interface: the floor that every learned encoder must beat."""

from __future__ import annotations

import torch

from mergekit_speech.encoders.encoder import Encoder, Frames, frame_mask
from mergekit_speech.encoders.spectra import log_mel, with_deltas

HOP = 160


class Filterbank(Encoder):
    """SUPERB's FBANK: 80 log-mel bands, first and second derivatives, normalised over each clip.

    Source: s3prl's `fbank` upstream (SUPERB, arXiv 2105.01051, table 2).
    """

    def __init__(self) -> None:
        """Builds the front end; it has no parameters."""
        super().__init__()
        self.dim, self.depth, self.stride = 240, 1, HOP

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
        """See `Encoder.forward`."""
        features = with_deltas(log_mel(waveforms))
        frames = _frames(lengths, features.shape[1])
        return Frames((_normalize(features, frames),), frames)


class LogMel(Encoder):
    """80 log-mel bands as they are, scaled by constants only, so that loudness and channel remain."""

    # Natural-log energies of speech in [-1, 1] lie around here; constants keep clips comparable.
    centre, spread = -8.0, 4.0

    def __init__(self) -> None:
        """Builds the front end; it has no parameters."""
        super().__init__()
        self.dim, self.depth, self.stride = 80, 1, HOP

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
        """See `Encoder.forward`."""
        features = (log_mel(waveforms) - self.centre) / self.spread
        return Frames((features,), _frames(lengths, features.shape[1]))


def _frames(lengths: torch.Tensor, most: int) -> torch.Tensor:
    return torch.div(lengths + HOP // 2, HOP, rounding_mode="floor").clamp(min=1, max=most)


def _normalize(features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    audible = frame_mask(lengths, features.shape[1])[:, :, None]
    count = lengths[:, None, None]
    mean = (features * audible).sum(dim=1, keepdim=True) / count
    centred = (features - mean) * audible
    deviation = (centred.square().sum(dim=1, keepdim=True) / count).sqrt()
    return centred / (deviation + 1e-5)
