"""Keeps the encoder as it is early in a run."""

from __future__ import annotations

import math
from collections.abc import Callable

from mergekit_speech.training.events import EvaluationEvent, StepEvent


def early_step(fraction: float, steps: int) -> int:
    """The step, counted from 1, at which a fraction of the steps is done."""
    return max(1, math.ceil(round(fraction * steps, 6)))


class EarlyCheckpoint:
    """Writes once, after a fraction of the steps.

    Attributes:
        step: The step, counted from 1, after which it writes.
    """

    def __init__(self, fraction: float, steps: int, write: Callable[[], None]) -> None:
        """Prepares.

        Args:
            fraction: Of the steps, in (0, 1).
            steps: Of the run.
            write: Writes; a resumed run may call it again for the same step.
        """
        self.step, self._write = early_step(fraction, steps), write

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        if event.step == self.step:
            self._write()

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""

    def close(self) -> None:
        """See `Observer.close`."""
