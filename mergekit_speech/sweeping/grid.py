"""The points of a sweep: every strategy × α × setting of one or several grids, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from mergekit_speech.api import Strategy
from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import STRATEGIES, suggestion
from mergekit_speech.sweeping.groups import check_groups
from mergekit_speech.sweeping.point import SweepPoint

SHARE = "scale"
"""What strategies call the share of the deltas, which is what α is here."""
RISING = "lines"
"""The strategy that adds to α layer by layer: with it, α = 0 is not the base."""


@dataclass(frozen=True)
class Grid:
    """Merges to try.

    Attributes:
        alphas: Values of α; every group has each of them in turn.
        strategies: Registry names.
        settings: Values to try of settings by name; a strategy that does not have one goes without.
        groups: Groups of parameters with an α of their own, see `groups.GROUPS`; none for one α for all.
    """

    alphas: tuple[float, ...]
    strategies: tuple[str, ...] = ("linear",)
    settings: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


def lay_out(grids: Iterable[Grid], base: str, tuned: Sequence[str]) -> list[SweepPoint]:
    """Gives all points: the base and the tuned encoders themselves first, then the merges.

    α = 0 is the base itself, and α = 1 of `linear` with one tuned encoder is that encoder: they are not merged.

    Args:
        grids: What to try.
        base: Label of the base.
        tuned: Labels of the tuned encoders.

    Raises:
        SettingsError: A grid is empty, a group is unknown, or no strategy has a setting or an α.
        StrategyError: A strategy is unknown or cannot be loaded.
    """
    alone = len(tuned) == 1
    ends = [SweepPoint(base, alpha=0.0, tuned=(0,), end="base")]
    ends += [
        SweepPoint(label, alpha=1.0 if alone else None, tuned=(number,), end="tuned")
        for number, label in enumerate(tuned)
    ]
    merges = [point for grid in grids for point in _merges(grid) if not _is_end(point, alone=alone)]
    return list({point.label: point for point in [*ends, *merges]}.values())


def has_alpha(strategy: Strategy) -> bool:
    """Whether a strategy has an α."""
    return SHARE in strategy.params and not strategy.params[SHARE].per_encoder


def series(point: SweepPoint) -> str:
    """What points on one curve have in common: strategy and settings, in words."""
    return " ".join([point.strategy, *(f"{name}={_say(value)}" for name, value in point.settings.items())])


def _merges(grid: Grid) -> Iterator[SweepPoint]:
    _check(grid)
    for name in grid.strategies:
        strategy = STRATEGIES.load(name)
        known = {alias for key, param in strategy.params.items() for alias in (key, *param.aliases)}
        chosen = {key: values for key, values in grid.settings.items() if key in known}
        for values in product(*chosen.values()):
            yield from _along_alpha(grid, name, strategy, dict(zip(chosen, values, strict=True)))


def _along_alpha(grid: Grid, name: str, strategy: Strategy, settings: Mapping[str, Any]) -> Iterator[SweepPoint]:
    words = series(SweepPoint("", name, settings))
    if not has_alpha(strategy):
        yield SweepPoint(words, name, settings)
    elif grid.groups:
        for alphas in product(grid.alphas, repeat=len(grid.groups)):
            groups = dict(zip(grid.groups, alphas, strict=True))
            said = " ".join(f"{group}={alpha:g}" for group, alpha in groups.items())
            yield SweepPoint(f"{words} {said}", name, settings, groups=groups)
    else:
        for alpha in grid.alphas:
            yield SweepPoint(f"{words} α={alpha:g}", name, settings, alpha)


def _is_end(point: SweepPoint, *, alone: bool) -> bool:
    if point.strategy != RISING and (point.alpha == 0 or (point.groups and not any(point.groups.values()))):
        return True
    return point.alpha == 1 and alone and point.strategy == "linear" and not point.settings


def _check(grid: Grid) -> None:
    for name, values in (("alphas", grid.alphas), ("strategies", grid.strategies), *grid.settings.items()):
        if not values:
            raise SettingsError(f"expected at least one value of {name} to try, came none: give one, or leave it out")
    check_groups(grid.groups)
    loaded = [STRATEGIES.load(name) for name in grid.strategies]
    known = [alias for each in loaded for key, param in each.params.items() for alias in (key, *param.aliases)]
    for name in grid.settings:
        if name not in known:
            raise SettingsError(
                f"expected a setting of {', '.join(grid.strategies)}, came {name!r}{suggestion(name, known)}:"
                " msm strategies NAME lists them"
            )
        shares = {alias for each in loaded if has_alpha(each) for alias in (SHARE, *each.params[SHARE].aliases)}
        if name in shares:
            raise SettingsError(f"expected values of {name!r} as alphas, came one as a setting: name them as alphas")
    if grid.groups and not any(map(has_alpha, loaded)):
        raise SettingsError(f"expected a strategy with an α for groups, came {', '.join(grid.strategies)}")


def _say(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "")
