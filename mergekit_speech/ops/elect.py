"""Electing a sign for each element and adding up the deltas that have it."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech.api import Array, namespace


def elect_plain(weighted: Sequence[Array], weights: Sequence[float], *, normalize: bool) -> Array:
    """Add up the weighted deltas that have the elected sign: that of their whole sum, + if it is zero.

    Args:
        weighted: float32, one for each weight, any shape; the deltas already multiplied by their weights.
        weights: Weight of each delta.
        normalize: Divide by the weights of those that agree, where these do not add up to zero.

    Returns:
        A new array of the shape of a delta; zero where no delta agrees.
    """
    xp = namespace(weighted[0])
    vote = xp.zeros_like(weighted[0])
    for each in weighted:
        vote += each
    positive = vote >= 0
    out, divisor = xp.zeros_like(vote), xp.zeros_like(vote)
    for each, weight in zip(weighted, weights, strict=True):
        agrees = xp.zeros_like(vote) + (((each > 0) & positive) | ((each < 0) & ~positive))
        out += each * agrees
        divisor += agrees * weight
    if normalize:
        out /= divisor + (divisor == 0)
    return out


elect = elect_plain
