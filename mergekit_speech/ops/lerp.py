"""Interpolation between a base and any number of tuned encoders."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech.api import Array


def lerp_plain(base: Array, tuned: Sequence[Array], rest: float, weights: Sequence[float]) -> Array:
    """Compute rest·base + Σ_k weights[k]·tuned[k], every product and every sum rounded to float32, from left to right.

    Args:
        base: float32, any shape.
        tuned: The same, one for each weight.
        rest: Share of the base, rounded to float32.
        weights: Share of each tuned encoder, rounded to float32.

    Returns:
        A new array of the shape of `base`.
    """
    out = base * rest
    for each, weight in zip(tuned, weights, strict=True):
        out += each * weight
    return out


lerp = lerp_plain
