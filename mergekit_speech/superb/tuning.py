"""Chooses a learning rate for an encoder and a task, on validation clips alone, as SUPERB allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from mergekit_speech.errors import SettingsError
from mergekit_speech.superb.results import NATIVE, Trial
from mergekit_speech.training.settings import Goal


def check_rates(rates: Sequence[float], engine: str) -> None:
    """Refuses rates that make no choice.

    Raises:
        SettingsError: A rate is not above 0 or is named twice, or the engine tests whatever it trains.
    """
    for rate, count in Counter(rates).items():
        if not rate > 0 or count > 1:
            raise SettingsError(f"expected different learning rates above 0, came {list(rates)!r}: correct {rate!r}")
    if rates and engine != NATIVE:
        raise SettingsError(
            f"expected the engine {NATIVE!r} to choose learning rates, came {engine!r}, which tests whatever it trains:"
            f" choose them with {NATIVE!r}, then give what was chosen"
        )


def choose_rate(trials: Sequence[Trial], goal: Goal) -> float:
    """The rate whose validation figure is best, the first of equals.

    Args:
        trials: At least one.
        goal: The figure.
    """
    best = trials[0]
    for trial in trials[1:]:
        if goal.better(trial.valid[goal.metric], best.valid[goal.metric]):
            best = trial
    return best.learning_rate


def mean_figures(seeds: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The mean of each metric over seeds."""
    return {metric: fmean(own[metric] for own in seeds) for metric in seeds[0]}
