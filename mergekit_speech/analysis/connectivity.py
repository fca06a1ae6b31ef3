"""Linear connectivity: features of a merged encoder against the same mixture of the features of base and tuned."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from mergekit_speech.analysis.distance import Comparison, compare_checkpoints
from mergekit_speech.analysis.products import NO_SPREAD, Array, Values
from mergekit_speech.errors import CheckpointError, RecipeError
from mergekit_speech.merging.card import RECIPE_FILE
from mergekit_speech.merging.recipe_yaml import read_recipe
from mergekit_speech.merging.runs import encoder_folder


@dataclass(frozen=True)
class Line:
    """Where a merged encoder lies beside the line from its base to a tuned one, in weights.

    Attributes:
        alpha: The nearest point of the line: 0 is the base, 1 the tuned encoder. A linear merge lies on it.
        off: Distance from that point, as a share of the distance from base to tuned.
    """

    alpha: float
    off: float


@dataclass(frozen=True)
class LayerConnectivity:
    """One layer of the merged encoder against the mixture.

    Attributes:
        layer: Number of the hidden state.
        r2: Of the mixture as it is, without a fitted map, at most 1; the mean over dimensions. None if nothing varies.
        relative_error: ‖merged − mixture‖ / ‖mixture‖ over all frames; None if the mixture is zero.
    """

    layer: int
    r2: float | None
    relative_error: float | None


class ConnectivitySums:
    """What adds up over the frames of one layer: a few vectors."""

    def __init__(self, dim: int, alpha: float) -> None:
        """Starts with no frames.

        Args:
            dim: Of all three encoders.
            alpha: Share of the tuned encoder in the mixture.
        """
        self._alpha = alpha
        self._count = 0
        self._mean: Values = np.zeros(dim)
        self._spread: Values = np.zeros(dim)
        self._residual: Values = np.zeros(dim)

    def add(self, base: Array, tuned: Array, merged: Array) -> None:
        """Adds features of the same frames, each of shape `(frames, dim)`."""
        if not len(base):
            return
        mixture = (1 - self._alpha) * base.astype(np.float64) + self._alpha * tuned.astype(np.float64)
        count, mean = len(mixture), mixture.mean(axis=0)
        total, apart = self._count + count, mean - self._mean
        self._spread += ((mixture - mean) ** 2).sum(axis=0) + apart**2 * (self._count * count / total)
        self._mean += apart * (count / total)
        self._count = total
        self._residual += ((merged - mixture) ** 2).sum(axis=0)

    def figures(self, layer: int) -> LayerConnectivity:
        """What the frames so far amount to."""
        varies = self._spread > self._count * (NO_SPREAD * self._mean) ** 2
        r2 = float(np.mean(1 - self._residual[varies] / self._spread[varies])) if varies.any() else None
        size = float(np.sum(self._spread + self._count * self._mean**2))
        return LayerConnectivity(layer, r2, float(np.sqrt(self._residual.sum() / size)) if size else None)


def find_line(tuned: Comparison, merged: Comparison) -> Line:
    """Tells from weights where a merged encoder lies between its base and a tuned one.

    Args:
        tuned: The base beside the tuned encoder.
        merged: The same base beside the merged one.

    Raises:
        CheckpointError: The tuned encoder has the weights of the base.
        PairingError: The checkpoints do not hold the same parameters.
    """
    length, moved = tuned.whole.l2, merged.whole.l2
    if not length:
        raise CheckpointError(
            f"expected a tuned encoder on the line from {tuned.first}, came {tuned.second}, whose weights are the same:"
            " name another one"
        )
    between = compare_checkpoints(merged.second, tuned.second, base=tuned.first)
    cosine = between.whole.delta_cosine or 0.0
    return Line(alpha=cosine * moved / length, off=moved * sqrt(max(0.0, 1 - cosine**2)) / length)


def recorded_tuned(merged: Path) -> Path | None:
    """The tuned encoder that a merged one was made of, as its recipe says; None if it says nothing, or of several.

    Args:
        merged: Folder of the merged encoder.

    Raises:
        CheckpointError: The recipe names a repository of the hub that cannot be fetched.
    """
    recipe = merged / RECIPE_FILE
    if not recipe.is_file():
        return None
    try:
        tuned = read_recipe(recipe).merge.tuned
    except RecipeError:
        return None
    source = tuned[0].source if len(tuned) == 1 else None
    return encoder_folder(source) if isinstance(source, Path) else None
