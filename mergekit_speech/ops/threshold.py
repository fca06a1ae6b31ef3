"""The k-th largest magnitude, exactly, by counting float32 bit patterns: it streams, needs no sort and no second copy.

A non-negative float32 and its bits, read as an integer, have the same order. Counting the upper 15 of the 31 bits tells
in which interval the k-th largest lies; counting the lower 16 bits inside that interval tells which pattern it is.
Counts are integers, so that their sum over any cut of the data is the same.
"""

from __future__ import annotations

import struct
from typing import Any

from mergekit_speech.api import Array, namespace

LOW_BITS = 16
HIGH_COUNTS = 1 << 15
LOW_COUNTS = 1 << LOW_BITS


def high_counts_plain(values: Array) -> Array:
    """Count the upper 15 bits of the magnitudes.

    Args:
        values: float32, any shape.

    Returns:
        int64 `(32768,)`.
    """
    return namespace(values).bincount(_magnitude_bits(values) >> LOW_BITS, minlength=HIGH_COUNTS)


def low_counts_plain(values: Array, interval: int) -> Array:
    """Count the lower 16 bits of the magnitudes whose upper bits are `interval`.

    Args:
        values: float32, any shape.
        interval: Upper 15 bits, 0 to 32767.

    Returns:
        int64 `(65536,)`.
    """
    bits = _magnitude_bits(values)
    inside = bits[(bits >> LOW_BITS) == interval]
    return namespace(values).bincount(inside & (LOW_COUNTS - 1), minlength=LOW_COUNTS)


def locate(counts: Array, rank: int) -> tuple[int, int]:
    """Find the slot of the element with this rank from the top.

    Args:
        counts: int64 `(slots,)`, smallest slot first.
        rank: 1 for the largest element.

    Returns:
        The slot, and the rank from the top inside it.
    """
    xp = namespace(counts)
    below = xp.cumsum(counts, 0)
    total = int(below[-1])
    # The first slot with more than `total - rank` elements up to its end holds the one that is wanted.
    slot = int((below <= total - rank).sum())
    return slot, rank - (total - int(below[slot]))


def join_bits(interval: int, low: int) -> float:
    """Give the float32 value with these upper 15 and lower 16 bits, as a Python float (exact)."""
    value: float = struct.unpack("<f", struct.pack("<I", interval << LOW_BITS | low))[0]
    return value


def threshold_plain(values: Array, rank: int) -> float:
    """Give the magnitude that exactly `rank` elements reach, or more if several share it.

    Args:
        values: float32, any shape, at least `rank` elements, all finite.
        rank: 1 for the largest magnitude.
    """
    interval, inside = locate(high_counts(values), rank)
    low, _ = locate(low_counts(values, interval), inside)
    return join_bits(interval, low)


def _magnitude_bits(values: Array) -> Any:
    xp = namespace(values)
    return values.reshape(-1).view(xp.int32) & 0x7FFFFFFF


high_counts = high_counts_plain
low_counts = low_counts_plain
threshold = threshold_plain
