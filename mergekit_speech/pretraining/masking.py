"""Which frames masked prediction hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mergekit_speech.errors import SettingsError


@dataclass(frozen=True)
class Masking:
    """How much is hidden.

    Attributes:
        span: Frames of a masked span, of 20 ms each.
        probability: Masked frames as a fraction of all, if spans did not overlap.
    """

    span: int = 10
    probability: float = 0.8

    def __post_init__(self) -> None:
        """Refuses masks that hide nothing.

        Raises:
            SettingsError: The span is below 1, or the probability outside (0, 1].
        """
        if self.span < 1:
            raise SettingsError(f"a masked span needs at least 1 frame, got {self.span!r}")
        if not 0 < self.probability <= 1:
            raise SettingsError(f"the mask probability is a fraction in (0, 1], got {self.probability!r}")


HUBERT = Masking()
"""Spans of 10 frames from 8 % of the frames: about half of the frames end up hidden."""


def mask_spans(rows: int, frames: int, rng: np.random.Generator, masking: Masking = HUBERT) -> npt.NDArray[np.bool_]:
    """Draws spans that may overlap; every row gets the same number.

    Source: HuBERT and wav2vec 2.0 (arXiv 2106.07447, section IV-C).

    Returns:
        True where a frame is hidden, shape `(rows, frames)`; at least one span a row.
    """
    span = min(masking.span, frames)
    starts = max(1, int(masking.probability * frames / span + rng.random()))
    starts = min(starts, frames - span + 1)
    masked = np.zeros((rows, frames), dtype=np.bool_)
    for row in masked:
        for start in rng.choice(frames - span + 1, starts, replace=False):
            row[start : start + span] = True
    return masked
