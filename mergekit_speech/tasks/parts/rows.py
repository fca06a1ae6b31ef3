"""Test items as columns of numbers: what figures are computed from, once or under resampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = Mapping[str, npt.NDArray[Any]]
"""Columns whose first axis is the same items: clips for most tasks, trials or queries for others."""
Counts = npt.NDArray[np.integer[Any]]
"""How often each item counts in each draw, shape `(draws, items)`."""
Drawn = Mapping[str, npt.NDArray[np.float64]]
"""Metrics by name, each of shape `(draws,)`."""
FOLD = "fold"
"""The column that says which fold an item was tested in, where a task has several."""


def ratios(rows: Rows, counts: Counts, parts: Mapping[str, tuple[str, str]]) -> Drawn:
    """Sums of one column over sums of another; NaN where the latter are 0.

    Args:
        rows: Columns of numbers.
        counts: How often each item counts.
        parts: Columns of numerator and denominator of each metric.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            metric: (counts @ rows[above].astype(np.float64)) / (counts @ rows[below].astype(np.float64))
            for metric, (above, below) in parts.items()
        }


def counted_once(draws: Callable[[Rows, Counts], Drawn], rows: Rows) -> Mapping[str, float]:
    """Plain figures from a function of draws: those of the one draw in which each item counts once."""
    return {metric: float(values[0]) for metric, values in draws(rows, np.ones((1, items_of(rows)), np.int64)).items()}


def drawn_one_by_one(figures: Callable[[Rows], Mapping[str, float]], rows: Rows, counts: Counts) -> Drawn:
    """Figures of each draw from a function of plain figures, by repeating items: right for every task, and slow."""
    found = [figures({name: np.repeat(column, count, axis=0) for name, column in rows.items()}) for count in counts]
    return {metric: np.array([each[metric] for each in found]) for metric in found[0]}


def mean_over_folds(draws: Callable[[Rows, Counts], Drawn], rows: Rows, counts: Counts) -> Drawn:
    """The plain mean of the figures of each fold; a fold of which a draw has no item has no say in that draw.

    Args:
        draws: Figures of one fold.
        rows: Items of all folds; without the column `fold` they are of one fold.
        counts: How often each item counts.
    """
    if FOLD not in rows:
        return draws(rows, counts)
    members = [rows[FOLD] == fold for fold in np.unique(rows[FOLD])]
    found = [draws({n: c[member] for n, c in rows.items()}, counts[:, member]) for member in members]
    drawn = np.stack([counts[:, member].sum(axis=1) > 0 for member in members])
    return {
        metric: np.where(drawn, np.stack([each[metric] for each in found]), 0).sum(axis=0) / drawn.sum(axis=0)
        for metric in found[0]
    }


def join_folds(folds: Sequence[tuple[int | None, Rows]]) -> Rows:
    """Columns of several folds one behind the other, with the column `fold`; those of one fold as they are."""
    if len(folds) == 1:
        return folds[0][1]
    numbers = [np.full(items_of(rows), fold) for fold, rows in folds]
    columns = {name: np.concatenate([rows[name] for _, rows in folds]) for name in folds[0][1]}
    return {**columns, FOLD: np.concatenate(numbers)}


def items_of(rows: Rows) -> int:
    """How many items the columns are about."""
    return len(next(iter(rows.values())))
