"""The weighted sum of deltas."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech.api import Array, namespace


def delta_sum_plain(base: Array, tuned: Sequence[Array], weights: Sequence[float]) -> Array:
    """Compute Σ_k weights[k]·(tuned[k] − base), rounded to float32 after every step, in the order of the encoders.

    Args:
        base: float32, any shape.
        tuned: The same, one for each weight.
        weights: Weight of each delta, rounded to float32.

    Returns:
        A new array of the shape of `base`.
    """
    out = namespace(base).zeros_like(base)
    for each, weight in zip(tuned, weights, strict=True):
        delta = each - base
        delta *= weight
        out += delta
    return out


delta_sum = delta_sum_plain
