"""How sure a figure is: its variance under resampling, the interval, and the verdict over many of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

LEVEL = 0.05
BETTER: Literal["better"] = "better"
WORSE: Literal["worse"] = "worse"
UNSEEN: Literal["no difference seen"] = "no difference seen"
Verdict = Literal["better", "worse", "no difference seen"]


@dataclass(frozen=True)
class Uncertainty:
    """The variance of a figure.

    Attributes:
        variance: Of the figure itself, a mean over seeds.
        parts: What it is made of: variance and degrees of freedom of each part.
    """

    variance: float
    parts: tuple[tuple[float, float], ...]

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance.

        Source: Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
        """
        total = sum(variance for variance, _ in self.parts)
        return total**2 / sum(variance**2 / freedom for variance, freedom in self.parts)

    def interval(self, mean: float) -> tuple[float, float]:
        """The 95 % interval around a figure: as wide as Student's t asks with so few seeds and items.

        Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 12.4, with the bootstrap's error.
        """
        from scipy.stats import t

        reach = float(t.ppf(1 - LEVEL / 2, self.freedom)) * self.error
        return mean - reach, mean + reach

    def p_value(self, mean: float) -> float:
        """Probability of a figure at least as far from 0, were 0 the truth."""
        from scipy.stats import t

        return float(2 * t.sf(abs(mean) / self.error, self.freedom))


def measure(values: Array, draws: Array, seed_weights: Array, units: int) -> Uncertainty | None:
    """The uncertainty of a mean over seeds, from its figures under resampling of items and seeds.

    Args:
        values: The figure for each seed, shape `(seeds,)`.
        draws: The same under resampling of the items, shape `(draws, seeds)`.
        seed_weights: Weight of each seed in each draw, shape `(draws, seeds)`.
        units: What was drawn: items, or groups of items.

    Returns:
        None where resampling cannot tell: every draw gives the same, or most give no number.
    """
    kept: npt.NDArray[np.bool_] = np.isfinite(draws).all(axis=1)
    if 2 * int(kept.sum()) < kept.size:
        return None
    variance = float(np.var((draws * seed_weights).sum(axis=1)[kept], ddof=1))
    parts = [(float(np.var(draws[kept].mean(axis=1), ddof=1)), float(units - 1))]
    if len(values) > 1:
        parts.append((float(np.var(values, ddof=1)) / len(values), float(len(values) - 1)))
    scale = float(np.abs(draws[kept]).max(initial=0.0))
    # What rounding alone makes differ is the same.
    return Uncertainty(variance, tuple(parts)) if variance > (1e-12 * scale) ** 2 else None


def add_up(uncertainties: Iterable[tuple[float, Uncertainty | None]]) -> Uncertainty | None:
    """The uncertainty of a weighted sum of independent figures; None if that of one is unknown.

    Args:
        uncertainties: Each figure's factor and uncertainty.
    """
    pairs = list(uncertainties)
    known = [(factor**2, each) for factor, each in pairs if each is not None]
    if not pairs or len(known) < len(pairs):
        return None
    return Uncertainty(
        sum(square * each.variance for square, each in known),
        tuple((square * variance, freedom) for square, each in known for variance, freedom in each.parts),
    )


def adjust(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: the probability of one false difference among all of them stays below the level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def judge(gain: float, adjusted: float) -> Verdict:
    """What a gain (above 0 is better) with that corrected p-value says."""
    if adjusted >= LEVEL:
        return UNSEEN
    return BETTER if gain > 0 else WORSE
