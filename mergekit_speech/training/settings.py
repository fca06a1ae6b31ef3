"""The numbers that a training run is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mergekit_speech.errors import SettingsError
from mergekit_speech.training.rates import CONSTANT, Trapezoid

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class LoopSettings:
    """How to train.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Peak rate of Adam.
        rate: Shape of the rate over the steps.
        accumulate: Batches whose gradients make one step.
        accumulate_seconds: Audio of a step, seconds: batches are added until there is as much, whatever `accumulate`.
        clip_norm: Largest gradient norm.
        weight_decay: Decoupled, per unit of learning rate.
        betas: Adam's decay rates of its two moments.
        evaluate_every: Steps between two evaluations; the last step is always evaluated.
        candidates_from: First step, counted from 1, whose evaluation may win.
        precision: Arithmetic of the forward pass; weights stay in float32. With fp16 the loss is scaled, so that small
            gradients do not vanish.
        seed: Decides order, dropout, and fresh weights.
    """

    steps: int
    learning_rate: float
    rate: Trapezoid = CONSTANT
    accumulate: int = 1
    accumulate_seconds: float | None = None
    clip_norm: float = 1.0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    evaluate_every: int = 1000
    candidates_from: int = 1
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses numbers that make no sense.

        Raises:
            SettingsError: A count is below 1, a rate, norm or length is not positive, the precision is unknown, or no
                step may win.
        """
        for name in ("steps", "accumulate", "evaluate_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        for name in ("learning_rate", "clip_norm", "accumulate_seconds"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be above 0, got {getattr(self, name)!r}")
        if self.precision not in get_args(Precision):
            raise SettingsError(f"precision is one of {', '.join(get_args(Precision))}, got {self.precision!r}")
        if not 1 <= self.candidates_from <= self.steps:
            raise SettingsError(f"candidates_from must be between 1 and {self.steps}, got {self.candidates_from!r}")

    def fill(self, batches: int, seconds: float) -> bool:
        """Whether as many batches with as many seconds of audio make a step."""
        return batches >= self.accumulate if self.accumulate_seconds is None else seconds >= self.accumulate_seconds


@dataclass(frozen=True)
class Goal:
    """The validation metric that picks the best checkpoint.

    Attributes:
        metric: Its name among the evaluation's results.
        lower_is_better: Its direction.
    """

    metric: str
    lower_is_better: bool

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats `than`; anything beats None and NaN, and a tie keeps the earlier one."""
        if than is None or math.isnan(than):
            return True
        return value < than if self.lower_is_better else value > than
