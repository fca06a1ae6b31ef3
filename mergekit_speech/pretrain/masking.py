"""Which frames masked prediction hides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SPAN = 10
"""Frames of a masked span (200 ms)."""
PROBABILITY = 0.8
"""Masked frames as a fraction of all, if spans did not overlap; about half of the frames end up masked."""


def mask_spans(rows: int, frames: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draws spans that may overlap; every row gets the same number.

    Source: HuBERT and wav2vec 2.0 (arXiv 2106.07447, section IV-C): spans of 10 frames from 8 % of the frames.

    Returns:
        True where a frame is hidden, shape `(rows, frames)`; at least one span a row.
    """
    span = min(SPAN, frames)
    starts = max(1, int(PROBABILITY * frames / span + rng.random()))
    starts = min(starts, frames - span + 1)
    masked = np.zeros((rows, frames), dtype=np.bool_)
    for row in masked:
        for start in rng.choice(frames - span + 1, starts, replace=False):
            row[start : start + span] = True
    return masked
