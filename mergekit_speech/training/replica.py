"""What a process computes a step with: the model, its optimizer, and its part in what several processes share."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from mergekit_speech.training.learner import Learner
from mergekit_speech.training.settings import LoopSettings


def new_optimizer(learner: Learner, settings: LoopSettings) -> torch.optim.Optimizer:
    """The optimizer of all parameters that move at some step."""
    return torch.optim.AdamW(
        learner.trained(), lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )


def moving(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that move now."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


class Replica(abc.ABC):
    """What steps are computed with.

    Attributes:
        device: Where.
        model: Gives the loss of a batch; the learner itself, or something that computes as it does.
        optimizer: Of the parameters of `model`.
    """

    device: torch.device
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @abc.abstractmethod
    def build(self) -> None:
        """Makes `model` anew from the learner, since other parameters move from here on or it was loaded."""

    @abc.abstractmethod
    def clip(self, most: float) -> float:
        """Scales gradients down to a norm of `most`; returns their norm before that."""

    @abc.abstractmethod
    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        """Surrounds one of the passes of a step, of which the last one adds up the gradients of all processes."""

    @abc.abstractmethod
    def collect(self) -> None:
        """Brings the learner to what `model` is; all processes call it."""

    @abc.abstractmethod
    def leave(self) -> None:
        """Takes the learner away from where it was collected for a look, until it is collected again."""

    @abc.abstractmethod
    def optimizer_state(self) -> dict[str, Any]:
        """The optimizer's state as one process alone would have it; all processes call it."""

    @abc.abstractmethod
    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Takes up such a state."""
