"""Which points a grid has."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mergekit_speech.errors import MsmError, SettingsError, StrategyError
from mergekit_speech.sweeping.grid import Grid, lay_out
from mergekit_speech.sweeping.point import SweepPoint


def labels(*grids: Grid, tuned: Sequence[str] = ("pr",)) -> list[str]:
    return [point.label for point in lay_out(grids, "base", tuned)]


def test_base_and_tuned_are_the_ends_of_alpha() -> None:
    points = lay_out([Grid((0.0, 0.25, 1.0))], "base", ["pr"])
    assert points == [
        SweepPoint("base", alpha=0.0, tuned=(0,), end="base"),
        SweepPoint("pr", alpha=1.0, tuned=(0,), end="tuned"),
        SweepPoint("linear α=0.25", alpha=0.25),
    ]


def test_of_several_tuned_none_is_the_end() -> None:
    points = lay_out([Grid((0.0, 1.0))], "base", ["pr", "ks"])
    assert [(point.label, point.alpha, point.tuned) for point in points] == [
        ("base", 0.0, (0,)),
        ("pr", None, (0,)),
        ("ks", None, (1,)),
        ("linear α=1", 1.0, None),
    ]


def test_strategies_and_settings_make_a_grid() -> None:
    grid = Grid((0.0, 0.5, 1.0), ("linear", "ties"), {"density": [0.1, 0.2]})
    assert labels(grid)[2:] == [
        "linear α=0.5",
        "ties density=0.1 α=0.5",
        "ties density=0.1 α=1",
        "ties density=0.2 α=0.5",
        "ties density=0.2 α=1",
    ]


def test_strategies_without_alpha_are_one_point() -> None:
    assert labels(Grid((0.25, 0.5), ("slerp",), {"t": [0.25, 0.75]}))[2:] == ["slerp t=0.25", "slerp t=0.75"]


def test_lines_adds_to_alpha_so_that_none_is_not_the_base() -> None:
    assert labels(Grid((0.0,), ("lines",), {"beta": [0.5]}))[2:] == ["lines beta=0.5 α=0"]


def test_groups_have_every_alpha_in_turn() -> None:
    points = lay_out([Grid((0.0, 0.5), groups=("cnn", "upper"))], "base", ["pr"])
    assert [(point.label, dict(point.groups), point.alpha) for point in points[2:]] == [
        ("linear cnn=0 upper=0.5", {"cnn": 0.0, "upper": 0.5}, None),
        ("linear cnn=0.5 upper=0", {"cnn": 0.5, "upper": 0.0}, None),
        ("linear cnn=0.5 upper=0.5", {"cnn": 0.5, "upper": 0.5}, None),
    ]


def test_grids_are_joined_and_points_come_once() -> None:
    assert labels(Grid((0.25, 0.5)), Grid((0.5, 0.75)))[2:] == ["linear α=0.25", "linear α=0.5", "linear α=0.75"]


def test_lists_are_values_too() -> None:
    assert labels(Grid((0.5,), settings={"weight": [[1, 2]]}), tuned=("a", "b"))[3:] == ["linear weight=[1,2] α=0.5"]


@pytest.mark.parametrize(
    ("grid", "error", "said"),
    [
        (Grid(()), SettingsError, "expected at least one value of alphas to try, came none: give one, or leave it out"),
        (Grid((0.5,), ()), SettingsError, "expected at least one value of strategies to try, came none"),
        (Grid((0.5,), settings={"weight": []}), SettingsError, "expected at least one value of weight to try"),
        (Grid((0.5,), ("tise",)), StrategyError, r"tise.*did you mean 'ties'"),
        (
            Grid((0.5,), ("ties",), {"densty": [1]}),
            SettingsError,
            r"expected a setting of ties, came 'densty' \(did you mean 'density'\?\): msm strategies NAME lists them",
        ),
        (
            Grid((0.5,), settings={"alpha": [0.5]}),
            SettingsError,
            "expected values of 'alpha' as alphas, came one as a setting: name them as alphas",
        ),
        (
            Grid((0.5,), groups=("cn",)),
            SettingsError,
            r"expected groups among cnn, .*upper, came 'cn' \(did you mean 'cnn'\?\)",
        ),
        (Grid((0.5,), groups=("cnn", "cnn")), SettingsError, "expected each group once, came 'cnn' twice"),
        (
            Grid((0.5,), ("slerp",), {"t": [0.5]}, ("cnn",)),
            SettingsError,
            "expected a strategy with an α for groups, came slerp",
        ),
    ],
)
def test_senseless_grids_are_refused(grid: Grid, error: type[MsmError], said: str) -> None:
    with pytest.raises(error, match=said):
        labels(grid)
