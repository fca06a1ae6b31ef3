"""What a run tells its observers while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class StepEvent:
    """One optimizer step.

    Attributes:
        step: Counted from 1.
        loss: Mean over the step's batches.
        learning_rate: Rate of this step.
        gradient_norm: Before clipping.
        audio_seconds: Audio in the step's batches, seconds.
        seconds: Wall time of the step, seconds.
        waited: Part of it that went by until the batches were there, seconds.
        memory: Most bytes in use so far; see `training.memory_use.peak_memory`.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    audio_seconds: float
    seconds: float
    waited: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class EvaluationEvent:
    """One validation.

    Attributes:
        step: Steps done.
        metrics: Name → value.
        best: Whether it is the best so far among those that may win.
        base: How far the encoder is from its base, name → value; empty where it has none.
    """

    step: int
    metrics: Mapping[str, float]
    best: bool
    base: Mapping[str, float] = field(default_factory=dict)


class Observer(Protocol):
    """Watches a run; called in the training process, so it must be quick."""

    def start(self, done: int, steps: int) -> None:
        """The loop starts, `done` of `steps` being done already."""

    def stepped(self, event: StepEvent) -> None:
        """A step is done."""

    def evaluated(self, event: EvaluationEvent) -> None:
        """A validation is done."""

    def close(self) -> None:
        """The loop ends, whether it succeeded or not."""
