"""Cuts the clips of a batch to one length, at the borders of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.speech.audio import AudioStore, Waveform
from mergekit_speech.speech.clip import SAMPLE_RATE, Clip

CROP_STEP = SAMPLE_RATE // 2
"""Crops are whole multiples of this many samples: few different shapes, whose kernels a CPU then compiles once."""


@dataclass(frozen=True)
class Crops:
    """Crops of equal length.

    Attributes:
        waveforms: float32, shape `(samples,)` each.
        first: The frame of its clip at which each crop begins.
        frames: Frames of a crop.
    """

    waveforms: Sequence[Waveform]
    first: Sequence[int]
    frames: int


class Cropper:
    """Cuts clips to the length of the shortest of them."""

    def __init__(self, encoder: PretrainedEncoder, audio: AudioStore) -> None:
        """Keeps the encoder's frames, not the encoder."""
        self._stride, self._frames, self._audio = encoder.stride, encoder.frames, audio

    def __call__(self, clips: Sequence[Clip], rng: np.random.Generator, known: Sequence[int] | None = None) -> Crops:
        """Cuts clips at random places.

        Args:
            clips: What to cut.
            rng: Decides where.
            known: Frames of each clip that something is known of; crops stay within.
        """
        waveforms = [self._audio.read(clip) for clip in clips]
        shortest = min(len(waveform) for waveform in waveforms)
        samples = shortest // CROP_STEP * CROP_STEP or shortest
        frames = int(self._frames(torch.tensor(samples)))
        crops, starts = [], []
        for row, waveform in enumerate(waveforms):
            last = (len(waveform) - samples) // self._stride
            if known is not None:
                last = min(last, known[row] - frames)
            first = int(rng.integers(0, last + 1))
            crops.append(waveform[first * self._stride : first * self._stride + samples])
            starts.append(first)
        return Crops(crops, starts, frames)
