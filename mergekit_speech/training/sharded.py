"""FSDP: each process keeps its share of weights, gradients and optimizer state, and joins in for the rest."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from mergekit_speech.errors import SettingsError
from mergekit_speech.training.learner import Learner
from mergekit_speech.training.ranks import processes
from mergekit_speech.training.replica import Replica, moving, new_optimizer
from mergekit_speech.training.settings import LoopSettings

LAYER = re.compile(r"(?:^|\.)layers\.\d+$")
HOST = torch.device("cpu")


class Sharded(Replica):
    """A copy of the learner that is cut into a share for each process.

    The learner itself stays whole in host memory. It is brought up to date for what looks at all weights: validation,
    averages, checkpoints.
    """

    def __init__(self, learner: Learner, settings: LoopSettings) -> None:
        """Prepares.

        Raises:
            SettingsError: The settings do not go with shares.
        """
        if settings.precision == "fp16":
            raise SettingsError(
                "expected bf16 or fp32 with FSDP, came fp16: use --precision bf16, which needs no scaler"
            )
        self.device = processes().device
        self._mesh: DeviceMesh = init_device_mesh(self.device.type, (processes().num_processes,))
        self._learner, self._settings = learner.to(HOST), settings
        self.model = learner
        self.optimizer = new_optimizer(learner, settings)

    def build(self) -> None:
        """See `Replica.build`."""
        if self.model is not self._learner:
            self.collect()
        state = self.optimizer_state()
        copied = copy.deepcopy(self._learner).to(self.device)
        for name, module in copied.named_modules():
            if LAYER.search(name):
                self._cut(module)
        self._cut(copied)
        self.model, self.optimizer = copied, new_optimizer(copied, self._settings)
        self.load_optimizer(state)

    def clip(self, most: float) -> float:
        """See `Replica.clip`."""
        return float(_whole(nn.utils.clip_grad_norm_(moving(self.model), most)))

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        """See `Replica.part`."""
        return self._part(last)

    def collect(self) -> None:
        """See `Replica.collect`."""
        with torch.no_grad():
            for whole, share in zip(self._learner.parameters(), self.model.parameters(), strict=True):
                if share.requires_grad:
                    whole.copy_(_whole(share))
        self._learner.to(self.device)

    def leave(self) -> None:
        """See `Replica.leave`."""
        self._learner.to(HOST)

    def optimizer_state(self) -> dict[str, Any]:
        """See `Replica.optimizer_state`."""
        state = self.optimizer.state_dict()
        own = {number: {name: _whole(value) for name, value in each.items()} for number, each in state["state"].items()}
        return {**state, "state": own}

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """See `Replica.load_optimizer`."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        own = {
            number: {name: _cut_alike(value, parameters[number]) for name, value in each.items()}
            for number, each in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": own})

    @contextmanager
    def _part(self, last: bool) -> Iterator[None]:
        assert isinstance(self.model, FSDPModule)
        self.model.set_requires_gradient_sync(last)
        yield

    def _cut(self, module: nn.Module) -> None:
        # Weights stay whole until their gradients are there, so that a penalty on them can be computed.
        fully_shard(module, mesh=self._mesh, reshard_after_forward=False)


def _whole(value: Any) -> Any:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _cut_alike(value: Any, parameter: nn.Parameter) -> Any:
    if not isinstance(parameter, DTensor) or not torch.is_tensor(value) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
