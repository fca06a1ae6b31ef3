"""One process, or DDP: each process has the whole learner, and gradients are averaged."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import nn

from mergekit_speech.training.learner import Learner
from mergekit_speech.training.ranks import launched, on_cpu, processes
from mergekit_speech.training.replica import Replica, moving, new_optimizer
from mergekit_speech.training.settings import LoopSettings

# Heads of other tasks, mask embeddings and skipped layers have no gradient.
DDP = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)


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
