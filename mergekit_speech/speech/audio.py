"""Decodes recordings to 16 kHz mono float32."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.clip import SAMPLE_RATE, Clip

Waveform = npt.NDArray[np.float32]
SHORTEST = 400
"""Samples (25 ms): what the encoders need for one frame."""
TOLERANCE = 0.1
"""Seconds by which a clip may be shorter than its manifest says."""

_log = logging.getLogger(__name__)
# Rates and channel counts of which nothing more is to be said.
_known = {(SAMPLE_RATE, 1)}


def read_audio(path: Recording) -> Waveform:
    """Reads a recording, on this machine or elsewhere, of any rate and channel count that libsndfile knows.

    The first one of a rate and channel count that has to be converted is logged.

    Returns:
        Samples in [-1, 1], float32, shape `(samples,)`, at 16 kHz; channels are averaged.

    Raises:
        DataError: The recording is absent, cannot be read or decoded, is shorter than a frame, or holds samples that
            are not finite.
    """
    import soundfile

    if isinstance(path, Path) and not path.is_file():
        raise DataError(f"clip {path} does not exist: check the manifest's path and the data folder")
    file = path if isinstance(path, Path) else BytesIO(path.read_bytes())
    try:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as fault:
        raise DataError(
            f"clip {path} cannot be decoded ({str(fault).splitlines()[0]}): replace it or drop it"
        ) from fault
    mono: Waveform = samples.mean(axis=1)
    if not mono.size:
        raise DataError(f"clip {path} holds no samples: drop it from the manifest")
    if not np.isfinite(mono).all():
        raise DataError(f"clip {path} holds samples that are not finite: replace it or drop it")
    _tell(path, rate, samples.shape[1])
    if rate != SAMPLE_RATE:
        mono = _resample(mono, rate)
    if len(mono) < SHORTEST:
        raise DataError(
            f"clip {path} lasts {len(mono) / SAMPLE_RATE * 1000:.1f} ms, less than the"
            f" {SHORTEST / SAMPLE_RATE * 1000:g} ms of one frame: drop it from the manifest"
        )
    return mono


def _tell(path: Recording, rate: int, channels: int) -> None:
    if (rate, channels) not in _known:
        _known.add((rate, channels))
        _log.warning(
            f"recordings of {rate} Hz and {channels} channel{'s' * (channels > 1)}, such as {path}, are converted to"
            f" {SAMPLE_RATE} Hz and 1 channel as they are read"
        )


def read_clip(clip: Clip) -> Waveform:
    """Reads a clip as its task wants to hear it: as `read_audio`, amplified by the clip's gain.

    Raises:
        DataError: As `read_audio`.
    """
    samples = read_audio(clip.path)
    return samples * np.float32(10 ** (clip.gain / 20)) if clip.gain else samples


def _resample(samples: Waveform, rate: int) -> Waveform:
    import soxr

    resampled: Waveform = soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ")
    return resampled


class AudioStore:
    """Keeps decoded clips in memory up to a budget; what does not fit is decoded again each time."""

    def __init__(self, budget: int = 1 << 30) -> None:
        """Starts empty.

        Args:
            budget: Bytes of decoded audio to keep (64,000 a second).
        """
        self._left = budget
        self._kept: dict[tuple[Recording, float], Waveform] = {}
        # Several threads read at a time.
        self._keeping = Lock()

    def read(self, clip: Clip) -> Waveform:
        """Returns the clip's samples, shape `(samples,)`; callers must not write to them.

        Raises:
            DataError: As `read_audio`, or the file holds less than the manifest says, as one that was cut short does.
        """
        kept = self._kept.get((clip.path, clip.gain))
        if kept is not None:
            return kept
        samples = read_clip(clip)
        if len(samples) / SAMPLE_RATE < clip.duration - TOLERANCE:
            raise DataError(
                f"{clip.source}: clip {clip.path} holds {len(samples) / SAMPLE_RATE:.2f} s of the {clip.duration:.2f} s"
                " that the manifest states: replace the file if it is cut short, else correct the duration"
            )
        self._keep(clip, samples)
        return samples

    def _keep(self, clip: Clip, samples: Waveform) -> None:
        with self._keeping:
            if samples.nbytes <= self._left and (clip.path, clip.gain) not in self._kept:
                self._left -= samples.nbytes
                self._kept[clip.path, clip.gain] = samples
