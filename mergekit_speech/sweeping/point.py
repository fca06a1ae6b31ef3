"""A point of a sweep: one merge, or one of the encoders that are merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

End = Literal["base", "tuned"]


@dataclass(frozen=True)
class SweepPoint:
    """One merge to be probed.

    Attributes:
        label: Its name in tables; tells it from all other points.
        strategy: Registry name of the strategy.
        settings: Of the strategy, without α.
        alpha: Its α; None where the strategy has none, or groups have their own.
        groups: α of groups of parameters, the first that holds a parameter counts; all others stay as in the base.
        tuned: Which of the tuned encoders are merged, from 0; None for all of them.
        end: What it is, if it is no merge: `tuned` then names the encoder.
    """

    label: str
    strategy: str = "linear"
    settings: Mapping[str, Any] = field(default_factory=dict)
    alpha: float | None = None
    groups: Mapping[str, float] = field(default_factory=dict)
    tuned: tuple[int, ...] | None = None
    end: End | None = None
