"""Classical features: log-mel filterbanks and MFCCs with their time derivatives, as Kaldi computes them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


def log_mel(waveforms: torch.Tensor, bins: int = 80) -> torch.Tensor:
    """Log-mel filterbank energies, 25 ms windows every 10 ms.

    Args:
        waveforms: float32 in [-1, 1], 16 kHz, shape `(batch, samples)`.
        bins: Mel bands.

    Returns:
        Shape `(batch, frames, bins)`, natural logarithm.
    """
    features: torch.Tensor = _log_mel_layer(bins, waveforms.device)(waveforms)
    return features


def mfcc_with_deltas(waveforms: torch.Tensor) -> torch.Tensor:
    """39 dimensions every 10 ms: 13 MFCCs, their first and their second differences.

    Source: the targets of HuBERT's first round (arXiv 2106.07447, section IV-B).

    Args:
        waveforms: float32 in [-1, 1], 16 kHz, shape `(batch, samples)`.

    Returns:
        Shape `(batch, frames, 39)`.
    """
    return with_deltas(_mfcc_layer(waveforms.device)(waveforms))


def with_deltas(features: torch.Tensor, order: int = 2, window: int = 5) -> torch.Tensor:
    """Appends regression derivatives along time, as HTK and Kaldi define them; edges repeat the end frames.

    Args:
        features: Shape `(batch, frames, dim)`.
        order: How many derivatives to append.
        window: Frames that a derivative looks at; odd.

    Returns:
        Shape `(batch, frames, dim * (order + 1))`.
    """
    half = window // 2
    slope = torch.arange(-half, half + 1, dtype=features.dtype, device=features.device)
    slope = slope / slope.square().sum()
    parts = [features]
    for _ in range(order):
        padded = torch.nn.functional.pad(parts[-1].transpose(1, 2), (half, half), mode="replicate")
        parts.append((padded.unfold(2, window, 1) @ slope).transpose(1, 2))
    return torch.cat(parts, dim=2)


@cache
def _log_mel_layer(bins: int, device: torch.device) -> nn.Module:
    from lhotse.features.kaldi.layers import Wav2LogFilterBank

    layer: nn.Module = Wav2LogFilterBank(num_filters=bins).eval().to(device)
    return layer


@cache
def _mfcc_layer(device: torch.device) -> nn.Module:
    from lhotse.features.kaldi.layers import Wav2MFCC

    layer: nn.Module = Wav2MFCC().eval().to(device)
    return layer
