"""What a process computes a step with: the model, its optimizer, and its part in what several processes share."""

from __future__ import annotations

import abc
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import nn

from mergekit_speech.training.learner import Learner
from mergekit_speech.training.ranks import launched, on_cpu, processes, sharded
from mergekit_speech.training.settings import LoopSettings

# Heads of other tasks, mask embeddings and skipped layers have no gradient.
DDP = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)


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


class Whole(Replica):
    """The learner itself, in one process, or in each of several (DDP)."""

    def __init__(self, learner: Learner, settings: LoopSettings) -> None:
        """Moves the learner to its device."""
        processes()
        self._accelerator = Accelerator(mixed_precision="no", cpu=on_cpu(), kwargs_handlers=[DDP])
        self.device = self._accelerator.device
        self._learner = learner.to(self.device)
        self.model = learner
        self.optimizer = new_optimizer(learner, settings)

    def build(self) -> None:
        """See `Replica.build`."""
        self.model = self._learner
        if not launched():
            return
        # DDP looks at requires_grad when it is built; the optimizer knows all along which parameters may move.
        self._accelerator.free_memory()
        with warnings.catch_warnings():
            # The option's successor would send averages around, which are alike everywhere.
            warnings.filterwarnings("ignore", message=".*broadcast_buffers")
            self.model = self._accelerator.prepare_model(self._learner)

    def clip(self, most: float) -> float:
        """See `Replica.clip`."""
        return float(nn.utils.clip_grad_norm_(moving(self._learner), most))

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        """See `Replica.part`."""
        return nullcontext() if last else self._accelerator.no_sync(self.model)

    def collect(self) -> None:
        """See `Replica.collect`: the model is the learner."""

    def leave(self) -> None:
        """See `Replica.leave`."""

    def optimizer_state(self) -> dict[str, Any]:
        """See `Replica.optimizer_state`."""
        return self.optimizer.state_dict()

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """See `Replica.load_optimizer`."""
        self.optimizer.load_state_dict(state)


def open_replica(learner: Learner, settings: LoopSettings) -> Replica:
    """Gives the replica that the launcher asked for.

    Raises:
        SettingsError: The settings do not go with it.
    """
    if not sharded():
        return Whole(learner, settings)
    from mergekit_speech.training.sharded import Sharded

    return Sharded(learner, settings)
