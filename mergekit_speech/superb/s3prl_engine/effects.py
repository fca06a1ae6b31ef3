"""sox's effects as SUPERB's protocol asks for them, which torchaudio no longer has.

Source: sox's manual, `gain`, `channels`, `rate` and `silence`; only the settings that s3prl's SUPERB problems use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from mergekit_speech.errors import SettingsError

Samples = npt.NDArray[np.float32]
TRIM = ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"]
WINDOW = 0.02
"""Seconds over which sox measures loudness."""
LAST, QUIET = 0.1, 0.001
"""Seconds that sound or silence must last, and the loudness that parts them, of full scale: what `TRIM` says."""


def apply_effects(waveform: torch.Tensor, rate: int, effects: Sequence[Sequence[str]]) -> tuple[torch.Tensor, int]:
    """Applies effects, as torchaudio's `sox_effects.apply_effects_tensor` did.

    Args:
        waveform: float32 in [-1, 1], shape `(channels, samples)`.
        rate: Hz.
        effects: Names with their arguments.

    Returns:
        The waveform and its rate.

    Raises:
        SettingsError: An effect, or its setting, is not among those that SUPERB uses.
    """
    for effect in effects:
        waveform = _apply(waveform, rate, list(effect))
    return waveform, rate


def _apply(waveform: torch.Tensor, rate: int, effect: list[str]) -> torch.Tensor:
    match effect:
        case ["channels", "1"]:
            return waveform.mean(dim=0, keepdim=True)
        case ["rate", same] if int(same) == rate:
            return waveform
        case ["gain", decibels]:
            return (waveform * 10 ** (float(decibels) / 20)).clamp(-1, 1)
        case _ if effect == TRIM:
            return torch.from_numpy(trim_silence(waveform[0].numpy(), rate))[None]
    raise SettingsError(f"expected an effect of SUPERB's protocol, came {' '.join(effect)!r} at {rate} Hz")


def trim_silence(samples: Samples, rate: int) -> Samples:
    """Cuts out what is quiet for longer than 0.1 s, anywhere, as sox's `silence 1 0.1 0.1% -1 0.1 0.1%`.

    Sound counts once it has lasted 0.1 s, and each search for it starts with an empty window of loudness.

    Args:
        samples: float32, shape `(samples,)`.
        rate: Hz.
    """
    window, least = round(WINDOW * rate), round(LAST * rate)
    kept, start = [], 0
    while start < len(samples):
        loud = _loudness(samples[start:], window) > QUIET
        begin = _first_run(loud, least)
        if begin is None:
            break
        quiet = _first_run(~loud[begin + least :], least)
        end = len(loud) if quiet is None else begin + least + quiet
        kept.append(samples[start + begin : start + end])
        start += len(loud) if quiet is None else end + least
    return np.concatenate(kept) if kept else samples[:0]


def _loudness(samples: Samples, window: int) -> npt.NDArray[np.float64]:
    """Root mean square of the window that ends at each sample; what lies before the first one is silence."""
    sums = np.concatenate([np.zeros(window), np.cumsum(np.square(samples, dtype=np.float64))])
    loudness: npt.NDArray[np.float64] = np.sqrt(np.maximum(sums[window:] - sums[:-window], 0) / window)
    return loudness


def _first_run(flags: npt.NDArray[np.bool_], least: int) -> int | None:
    """Where the first run of at least so many true values begins; None where there is none."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    long = edges[edges[:, 1] - edges[:, 0] >= least]
    return int(long[0, 0]) if len(long) else None
