"""When what trains in stable fine-tuning, and at which rate.

Source: Speech-FT (arXiv 2502.12672), section III: the head alone for the first 10 % of the steps; the rate rises over
    the same 10 %, holds to 50 % and falls to 0, so that the encoder thaws exactly at the peak.
"""

from __future__ import annotations

import math

from mergekit_speech.errors import SettingsError
from mergekit_speech.training.rates import Trapezoid

HEAD_ONLY = 0.1
HOLD = 0.5


def thaw_step(steps: int, head_only: float) -> int:
    """First step, counted from 0, that updates the encoder.

    Args:
        steps: Steps of the run.
        head_only: Fraction of them that update the head alone, in [0, 1).

    Raises:
        SettingsError: The fraction is out of range, or leaves the encoder no step.
    """
    if not 0 <= head_only < 1:
        raise SettingsError(f"head_only is a fraction of the steps in [0, 1), got {head_only!r}")
    # A product such as 0.1 * 30 lies a hair above its integer.
    thaw = math.ceil(round(head_only * steps, 6))
    if thaw >= steps:
        raise SettingsError(
            f"{steps} steps with head_only = {head_only:g} leave the encoder none: train longer or lower head_only"
        )
    return thaw


def stable_rate(head_only: float) -> Trapezoid:
    """The rate whose peak is where the encoder thaws; without a head-only phase it rises over 10 % all the same."""
    warmup = head_only or HEAD_ONLY
    return Trapezoid(warmup=warmup, hold=max(HOLD, warmup))
