"""An exponential moving average of weights over the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from mergekit_speech.training.events import EvaluationEvent, StepEvent


class Ema(nn.Module):
    """The average; its state goes into checkpoints with the learner's."""

    def __init__(self, moving: Sequence[nn.Parameter], decay: float) -> None:
        """Starts at the parameters' values.

        Args:
            moving: What is averaged.
            decay: Share of the average that stays in a step, in (0, 1); less in the first steps, so that the start does
                not weigh on short runs.
        """
        super().__init__()
        self._moving, self._decay = list(moving), decay
        for number, parameter in enumerate(self._moving):
            self.register_buffer(f"average{number}", parameter.detach().clone())

    def update(self, step: int) -> None:
        """Takes up the parameters after a step, counted from 1."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for average, parameter in zip(self._averages(), self._moving, strict=True):
            average.lerp_(parameter.detach(), 1 - keep)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Has the averages in the parameters for as long as the block lasts."""
        kept = [parameter.detach().clone() for parameter in self._moving]
        self._fill(self._averages())
        try:
            yield
        finally:
            self._fill(kept)

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self.update(event.step)

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""

    def close(self) -> None:
        """See `Observer.close`."""

    def _fill(self, values: Sequence[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._moving, values, strict=True):
                parameter.copy_(value)

    def _averages(self) -> list[torch.Tensor]:
        return list(self.buffers())
