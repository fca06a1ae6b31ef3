"""Dropping the small elements of a delta."""

from __future__ import annotations

from mergekit_speech.api import Array, namespace


def trim_plain(delta: Array, threshold: float) -> Array:
    """Keep the elements whose magnitude reaches the threshold, and set the others to zero.

    Args:
        delta: float32, any shape.
        threshold: Least magnitude kept, itself included; a value of float32.

    Returns:
        A new array of the shape of `delta`.
    """
    return delta * (namespace(delta).abs(delta) >= threshold)


trim = trim_plain
