"""Test items and seeds drawn again."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from mergekit_speech.superb.resampling import BLOCK, resample
from mergekit_speech.tasks.parts.rows import Drawn, Rows
from tests.superb.benches import rows_of

Counts = npt.NDArray[np.int64]


class Spy:
    """A task that keeps what it is asked, and whose one figure is the mean."""

    name = "spy"

    def __init__(self) -> None:
        self.asked: list[Counts] = []

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        self.asked.append(counts)
        return {"mean": counts @ rows["value"] / counts.sum(axis=1)}


def values(*numbers: float, **more: list[int]) -> Rows:
    return {"value": np.array(numbers), **{name: np.array(column) for name, column in more.items()}}


def test_one_less_than_all_items_and_seeds_is_drawn() -> None:
    task = Spy()
    rows = [values(0, 1, 2, 3)] * 3
    found = resample(task, {"a": rows, "b": rows}, draws=50, seed=0)
    assert found is not None
    assert found.units == 4
    assert all((counts.sum(axis=1) == 3).all() for counts in task.asked)
    assert np.allclose(found.seed_weights.sum(axis=1), 1)
    assert set(np.unique(found.seed_weights)) == {0, 0.5, 1}


def test_all_encoders_and_seeds_have_the_same_items() -> None:
    task = Spy()
    resample(task, {"a": [values(0, 1, 2)] * 2, "b": [values(4, 5, 6)] * 2}, draws=20, seed=0)
    assert len(task.asked) == 4
    for counts in task.asked[1:]:
        assert np.array_equal(counts, task.asked[0])


def test_a_single_seed_is_in_every_draw() -> None:
    found = resample(Spy(), {"a": [values(0, 1, 2)]}, draws=5, seed=0)
    assert found is not None
    assert (found.seed_weights == 1).all()


def test_items_of_a_group_are_drawn_together() -> None:
    task = Spy()
    found = resample(task, {"a": [values(0, 1, 2, 3, 4, group=[8, 8, 3, 3, 5])]}, draws=40, seed=0)
    assert found is not None
    assert found.units == 3
    (counts,) = task.asked
    assert np.array_equal(counts[:, 0], counts[:, 1])
    assert np.array_equal(counts[:, 2], counts[:, 3])
    assert (counts[:, [0, 2, 4]].sum(axis=1) == 2).all()


def test_draws_come_in_blocks_that_bound_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mergekit_speech.superb.resampling.BLOCK", 12)
    task = Spy()
    found = resample(task, {"a": [values(0, 1, 2, 3)]}, draws=7, seed=0)
    assert found is not None
    assert [len(counts) for counts in task.asked] == [3, 3, 1]
    assert found.figures["a"]["mean"].shape == (7, 1)
    assert BLOCK > 1 << 20


def test_seed_and_name_alone_decide_the_draws() -> None:
    def drawn(seed: int, name: str) -> npt.NDArray[np.float64]:
        task = Spy()
        task.name = name
        found = resample(task, {"a": [values(*range(9))]}, draws=10, seed=seed)
        assert found is not None
        return found.figures["a"]["mean"]

    assert np.array_equal(drawn(0, "ks"), drawn(0, "ks"))
    assert not np.array_equal(drawn(0, "ks"), drawn(1, "ks"))
    assert not np.array_equal(drawn(0, "ks"), drawn(0, "sid"))


@pytest.mark.parametrize("rows", [values(3.0), values(3.0, 4.0, group=[1, 1]), values()])
def test_nothing_is_drawn_from_fewer_than_two(rows: Rows) -> None:
    assert resample(Spy(), {"a": [rows]}, draws=5, seed=0) is None


def test_probes_of_other_items_cannot_be_paired() -> None:
    said = "task 'spy': expected rows about the same test items from every probe, came [2, 3] items: probe all encoders"
    with pytest.raises(DataError, match=re.escape(said)):
        resample(Spy(), {"a": [values(1, 2)], "b": [values(1, 2, 3)]}, draws=5, seed=0)


@pytest.mark.parametrize("other", [values(1, 2, group=[0, 0]), values(1, 2)])
def test_probes_of_other_groups_cannot_be_paired(other: Rows) -> None:
    with pytest.raises(DataError, match="task 'spy': expected the same groups of test items from every probe"):
        resample(Spy(), {"a": [values(1, 2, group=[0, 1])], "b": [other]}, draws=5, seed=0)


@pytest.mark.parametrize("task", ["pr", "ks"])
def test_variance_of_a_figure_is_that_of_its_items(task: str) -> None:
    rows = rows_of(task, 0.4, 0)
    found = resample(TASKS.load(task), {"a": [rows]}, draws=4000, seed=0)
    assert found is not None
    ((metric, draws),) = found.figures["a"].items()
    wrong = rows["errors"] / 10 if task == "pr" else rows["truth"] == rows["answer"]
    assert metric in ("per", "acc")
    assert draws.var() == pytest.approx(np.var(wrong, ddof=1) / len(wrong), rel=0.1)
