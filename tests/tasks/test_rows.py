"""Rows: the same figures at once, one by one, and over folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.registry import TASKS
from mergekit_speech.tasks.parts.rows import Counts, counted_once, drawn_one_by_one, items_of, join_folds, ratios
from mergekit_speech.tasks.parts.task import Task

PARTS = {"rate": ("errors", "words")}
ROWS = {"errors": np.array([1, 0, 3]), "words": np.array([2, 2, 4])}


def test_ratios_are_sums_over_sums() -> None:
    found = ratios(ROWS, np.array([[1, 1, 1], [2, 0, 1], [0, 0, 0]]), PARTS)
    assert found["rate"][:2].tolist() == [0.5, 5 / 8]
    assert np.isnan(found["rate"][2])


def test_plain_figures_count_each_item_once() -> None:
    assert counted_once(lambda rows, counts: ratios(rows, counts, PARTS), ROWS) == {"rate": 0.5}


def test_one_fold_stays_as_it_is() -> None:
    assert join_folds([(1, ROWS)]) is ROWS
    joined = join_folds([(1, ROWS), (3, ROWS)])
    assert joined["fold"].tolist() == [1, 1, 1, 3, 3, 3]
    assert joined["words"].tolist() == [2, 2, 4] * 2
    assert items_of(joined) == 6


COUNTS = st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6).filter(any), min_size=1, max_size=4).map(np.array)


@settings(max_examples=40, deadline=None)
@given(truth=st.lists(st.sampled_from("abc"), min_size=6, max_size=6), counts=COUNTS)
def test_draws_at_once_are_those_of_repeated_items(truth: list[str], counts: Counts) -> None:
    task: Task = TASKS.load("er")
    rows = {"truth": np.array(truth), "answer": np.array(list("abcabc"))}
    slow = drawn_one_by_one(task.figures, rows, counts)
    for metric, values in task.draws(rows, counts).items():
        assert values == pytest.approx(slow[metric])
