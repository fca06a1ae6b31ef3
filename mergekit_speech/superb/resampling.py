"""Test items and seeds drawn again and again: what the figures of a task would have been on other data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mergekit_speech.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Rows = Mapping[str, npt.NDArray[Any]]

GROUP = "group"
# Counts of one block of draws stay below this many numbers.
BLOCK = 1 << 21


class Drawable(Protocol):
    """What resampling needs of a task."""

    @property
    def name(self) -> str:
        """Name of the task."""

    def draws(self, rows: Rows, counts: npt.NDArray[np.int64]) -> Mapping[str, Array]:
        """Every metric, shape `(draws,)`, where item i counts `counts[d, i]` times in draw d."""


@dataclass(frozen=True)
class Resampled:
    """A task's figures under resampling.

    Attributes:
        figures: By encoder, then by metric: shape `(draws, seeds)`; the items of a draw are the same for all.
        seed_weights: Weight of each seed in each draw, shape `(draws, seeds)`; rows sum to 1.
        units: What was drawn: items, or groups of items.
    """

    figures: Mapping[str, Mapping[str, Array]]
    seed_weights: Array
    units: int


def resample(task: Drawable, rows: Mapping[str, Sequence[Rows]], draws: int, seed: int) -> Resampled | None:
    """Draws test items and seeds, jointly for all encoders.

    Of n items n - 1 are drawn with replacement, and of n seeds n - 1: drawing n of n would understate the variance of a
    mean by the factor (n - 1) / n, which for three seeds is a third. Items that share a number in the row `group` are
    drawn together. A single seed has weight 1 in every draw.

    Args:
        task: Whose figures.
        rows: Test rows of each encoder, by label, for each seed in the same order.
        draws: How many.
        seed: Of the generator; the draws of a task depend on it and on the task's name alone.

    Returns:
        The figures, or None where there are fewer than two items or groups to draw from.

    Raises:
        DataError: The rows of two probes are not about the same items.

    Source: Rao and Wu, "Resampling inference with complex survey data", JASA 83 (1988), for n - 1 of n.
    """
    probes = [probe for several in rows.values() for probe in several]
    groups = _groups(task.name, probes)
    units = int(groups.max()) + 1 if len(groups) else 0
    if units < 2:
        return None
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    seeds = len(next(iter(rows.values())))
    weights = _draw(rng, seeds, draws) / (seeds - 1) if seeds > 1 else np.ones((draws, 1))
    blocks = [
        {label: [task.draws(probe, counts[:, groups]) for probe in several] for label, several in rows.items()}
        for counts in _blocks(rng, units, draws, len(groups))
    ]
    figures = {
        label: {
            metric: np.concatenate([np.stack([probe[metric] for probe in block[label]], axis=1) for block in blocks])
            for metric in blocks[0][label][0]
        }
        for label in rows
    }
    return Resampled(figures, weights, units)


def _groups(task: str, probes: Sequence[Rows]) -> npt.NDArray[np.int64]:
    """Number of the group of each item, from 0 without gaps; items without groups are groups of one."""
    items = {len(column) for rows in probes for column in rows.values()}
    if len(items) != 1:
        raise DataError(
            f"task {task!r}: expected rows about the same test items from every probe, came {sorted(items)!r} items:"
            " probe all encoders on the same data"
        )
    (count,) = items
    named = probes[0].get(GROUP)
    if named is None:
        return np.arange(count)
    if any(not np.array_equal(rows.get(GROUP, ()), named) for rows in probes[1:]):
        raise DataError(f"task {task!r}: expected the same groups of test items from every probe: use the same data")
    return np.unique(named, return_inverse=True)[1].astype(np.int64)


def _blocks(rng: np.random.Generator, units: int, draws: int, items: int) -> Iterator[npt.NDArray[np.int64]]:
    size = max(1, BLOCK // items)
    for start in range(0, draws, size):
        yield _draw(rng, units, min(size, draws - start))


def _draw(rng: np.random.Generator, units: int, draws: int) -> npt.NDArray[np.int64]:
    """How often each unit is drawn, shape `(draws, units)`."""
    places = rng.integers(units, size=(draws, units - 1)) + units * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * units).reshape(draws, units)
