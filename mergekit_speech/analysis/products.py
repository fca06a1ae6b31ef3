"""Cross-products of paired frames, added up clip by clip, so that hours take no more memory than minutes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Values: TypeAlias = npt.NDArray[np.float64]

NO_SPREAD = 1e-12
"""A dimension whose deviation is below this share of its mean is constant: the rest is rounding."""


class Products:
    """Number, means and centred cross-products of paired rows.

    Each addition is centred by its own means, so that nothing is lost where means are much larger than deviations.

    Source: Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".

    Attributes:
        count: Rows so far.
        left: Means of the left rows, shape `(left,)`.
        right: Means of the right rows, shape `(right,)`.
        matrix: Σ (left − mean)ᵀ (right − mean), shape `(left, right)`.
    """

    def __init__(self, left: int, right: int) -> None:
        """Starts with no rows, of so many dimensions."""
        self.count = 0
        self.left: Values = np.zeros(left)
        self.right: Values = np.zeros(right)
        self.matrix: Values = np.zeros((left, right))

    def add(self, left: Array, right: Array) -> None:
        """Adds rows.

        Args:
            left: Shape `(rows, left)`.
            right: Shape `(rows, right)`, row by row what belongs to `left`.
        """
        if not len(left):
            return
        # float32 products would lose half of the digits that a nearly singular map needs.
        one, other = left.astype(np.float64), right.astype(np.float64)
        means = one.mean(axis=0), other.mean(axis=0)
        self._join(len(one), *means, (one - means[0]).T @ (other - means[1]))

    def __add__(self, more: Products) -> Products:
        """Those of both sets of rows together."""
        total = Products(len(self.left), len(self.right))
        for each in (self, more):
            if each.count:
                total._join(each.count, each.left, each.right, each.matrix)
        return total

    def spread(self) -> Values:
        """Sums of squares by dimension of rows paired with themselves; 0 where nothing but rounding differs."""
        squares = np.diagonal(self.matrix)
        return np.where(squares > self.count * (NO_SPREAD * self.left) ** 2, squares, 0.0)

    def _join(self, count: int, left: Values, right: Values, matrix: Values) -> None:
        total = self.count + count
        apart_left, apart_right = left - self.left, right - self.right
        self.matrix += matrix
        self.matrix += np.outer(apart_left, apart_right * (self.count * count / total))
        self.left += apart_left * (count / total)
        self.right += apart_right * (count / total)
        self.count = total
