"""SUPERB's numbers, and what a bench changes."""

from __future__ import annotations

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import TASKS
from mergekit_speech.superb.settings import Overrides, ProbeSettings
from mergekit_speech.training.rates import CONSTANT


def test_default_is_superbs_budget() -> None:
    assert Overrides().settings(TASKS.load("pr")) == ProbeSettings(100_000, 1e-2, 16, 2, 1000)


def test_one_number_holds_for_all_tasks_and_numbers_by_task_for_theirs() -> None:
    overrides = Overrides(steps=500, learning_rate={"sid": 1e-3}, clips={"pr": 4}, accumulate=1, evaluate_every={})
    assert overrides.settings(TASKS.load("pr")) == ProbeSettings(500, 1e-2, 4, 1, 20)
    assert overrides.settings(TASKS.load("sid")) == ProbeSettings(500, 1e-3, 8, 1, 20)


@pytest.mark.parametrize(("steps", "every"), [(25, 1), (10, 1), (1000, 40)])
def test_other_steps_are_validated_25_times(steps: int, every: int) -> None:
    settings = Overrides(steps=steps).settings(TASKS.load("ks"))
    assert settings is not None
    assert settings.evaluate_every == every


def test_loop_keeps_the_rate_and_clips_the_gradient_to_one() -> None:
    loop = ProbeSettings(10, 1e-3, 4, 2, 5).loop(seed=7)
    assert (loop.rate, loop.clip_norm, loop.weight_decay, loop.seed, loop.accumulate) == (CONSTANT, 1.0, 0.0, 7, 2)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(steps=0), "task 'pr': steps must be at least 1, got 0"),
        (Overrides(clips={"pr": 0}), "task 'pr': clips must be at least 1, got 0"),
        (Overrides(learning_rate=-1.0), "task 'pr': learning_rate must be above 0, got -1.0"),
        (Overrides(accumulate=0), "task 'pr': accumulate must be at least 1, got 0"),
        (Overrides(evaluate_every=0), "task 'pr': evaluate_every must be at least 1, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(overrides: Overrides, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        overrides.settings(TASKS.load("pr"))


def test_number_for_a_task_that_is_not_probed_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"expected steps for a task among pr, sid, came 'sidd' \(did you mean 'sid'"
    ):
        Overrides(steps={"pr": 5, "sidd": 5}).check(["pr", "sid"])
