"""Merging short lists of numbers, for numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from mergekit_speech.merging.memory import merge_state_dicts


def merge_lists(strategy: str, base: list[float], *tuned: list[float], **params: Any) -> list[float]:
    states = [{"x": np.array(values, np.float32)} for values in (base, *tuned)]
    merged = merge_state_dicts(states[0], states[1:], strategy=strategy, **params)
    values: list[float] = merged["x"].tolist()
    return values
