"""Learning rate as a function of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trapezoid:
    """Linear warm-up, a plateau, linear decay to 0 at the last step.

    Attributes:
        warmup: Fraction of the steps over which the rate rises.
        hold: Fraction of the steps at which the plateau ends.
    """

    warmup: float
    hold: float

    def __call__(self, step: int, steps: int) -> float:
        """The factor on the peak rate, in [0, 1], at `step` counted from 0 of `steps`."""
        rise, fall = self.warmup * steps, self.hold * steps
        if step + 1 < rise:
            return (step + 1) / rise
        if step < fall or fall >= steps:
            return 1.0
        return (steps - step) / (steps - fall)


CONSTANT = Trapezoid(warmup=0.0, hold=1.0)
"""SUPERB's probes: no schedule."""
