"""How similar the frame features of two encoders are in one layer: R² of a linear map, linear CKA, cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mergekit_speech.analysis.products import Array, Products, Values

Half = Literal[0, 1]
"""0: clips that the map is fitted on; 1: clips that it is scored on."""
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LayerSimilarity:
    """Features of an encoder against those of the base.

    Attributes:
        layer: Number of the hidden state; 0 is what the first layer hears.
        r2: Of the least-squares map from the encoder's features to the base's, at most 1; below 0 where the base's mean
            does better. None if no feature of the base varies.
        cka: Linear CKA, 0 to 1; None if either side does not vary.
        cosine: Mean over frames, −1 to 1; None if the dimensions differ, or every frame is zero.
    """

    layer: int
    r2: float | None
    cka: float | None
    cosine: float | None


class SimilaritySums:
    """What adds up over the frames of one layer: two halves of clips, three matrices of products each."""

    def __init__(self, base: int, other: int) -> None:
        """Starts with no frames, of so many dimensions."""
        self._halves = tuple((Products(base, base), Products(other, other), Products(other, base)) for _ in range(2))
        self._cosines, self._cosine_count = 0.0, 0

    @property
    def frames(self) -> int:
        """Frames so far, both halves together."""
        return sum(products[0].count for products in self._halves)

    def add(self, base: Array, other: Array, half: Half) -> None:
        """Adds frames.

        Args:
            base: Shape `(frames, dim of the base)`.
            other: The other encoder's features of the same moments, shape `(frames, its dim)`.
            half: What the frames are for; all of an utterance belong to one half.
        """
        of_base, of_other, between = self._halves[half]
        of_base.add(base, base)
        of_other.add(other, other)
        between.add(other, base)
        if base.shape == other.shape:
            found = _cosines(base.astype(np.float64), other.astype(np.float64))
            self._cosines += float(found.sum())
            self._cosine_count += len(found)

    def figures(self, layer: int) -> LayerSimilarity:
        """What the frames so far amount to."""
        fitted, scored = self._halves
        cosine = max(-1.0, min(1.0, self._cosines / self._cosine_count)) if self._cosine_count else None
        base, other, between = (one + more for one, more in zip(fitted, scored, strict=True))
        return LayerSimilarity(layer, _r2(fitted[1:], scored), _cka(base, other, between), cosine)


def fit(other: Products, between: Products) -> Values:
    """The least-squares map from centred features of one encoder to those of another, without ridge.

    Features are brought to unit variance; then directions whose variance is below dim · 2⁻⁵² of the largest, which is
    what rounding leaves of none, are mapped to zero (the solution of least norm).

    Args:
        other: Products of the features that are mapped, with themselves.
        between: Products of these with the features that are wanted.

    Returns:
        Shape `(dim of other, dim of the wanted)`.
    """
    spread = other.spread()
    scale = np.sqrt(np.where(spread > 0, spread, 1.0))
    alive = (spread > 0)[:, None]
    correlation = np.where(alive & alive.T, other.matrix / np.outer(scale, scale), 0.0)
    inverse = np.linalg.pinv(correlation, rcond=len(scale) * EPSILON, hermitian=True)
    found: Values = inverse @ (between.matrix / scale[:, None]) / scale[:, None]
    return found


def _r2(fitted: tuple[Products, ...], scored: tuple[Products, ...]) -> float | None:
    base, other, between = scored
    spread = base.spread()
    varies = spread > 0
    if not varies.any() or not fitted[0].count:
        return None
    weights = fit(*fitted)
    # Means of the fit are part of the map, and those of the other half lie elsewhere.
    offset = (base.left - fitted[1].right) - (other.left - fitted[0].left) @ weights
    explained = 2 * np.einsum("ij,ij->j", weights, between.matrix)
    squares = np.einsum("ij,ij->j", weights, other.matrix @ weights)
    residual = np.maximum(spread - explained + squares, 0.0) + base.count * offset**2
    return float(np.mean(1 - residual[varies] / spread[varies]))


def _cka(base: Products, other: Products, between: Products) -> float | None:
    """Source: Kornblith et al. (2019), "Similarity of Neural Network Representations Revisited", section 3."""
    if not base.spread().any() or not other.spread().any():
        return None
    norms = float(np.linalg.norm(base.matrix)) * float(np.linalg.norm(other.matrix))
    return min(1.0, float(np.linalg.norm(between.matrix)) ** 2 / norms)


def _cosines(one: Values, other: Values) -> Values:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    heard = norms > 0
    found: Values = np.einsum("ij,ij->i", one[heard], other[heard]) / norms[heard]
    return found
