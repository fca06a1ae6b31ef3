"""What the loop trains: a model with its loss, and the parameters that move at each step."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mergekit_speech.speech.clip import Clip


class Learner(nn.Module, abc.ABC):
    """A model that turns a batch into a loss."""

    @abc.abstractmethod
    def forward(self, batch: Any) -> torch.Tensor:
        """Returns the loss of a batch: a scalar, the mean over its items."""

    def items(self, batch: Any, clips: Sequence[Clip]) -> int:
        """How many items the loss of a batch is the mean over: by default its clips."""
        return len(clips)

    def samples(self, batch: Any) -> int:
        """Width of a batch with its padding, in samples; 0 where padding makes no difference."""
        return 0

    def widened(self, batch: Any, samples: int) -> Any:
        """The batch padded to a width, so that a part of a batch is heard as in the whole."""
        return batch

    def trained(self) -> list[nn.Parameter]:
        """Every parameter that moves at some step of the run, in a fixed order."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def enter(self, step: int) -> bool:
        """Prepares for a step, counted from 0; says whether the set of moving parameters changed."""
        return step == 0
