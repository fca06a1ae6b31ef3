"""One encoder in memory whose weights become those of point after point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mergekit_speech.encoders.pretrained import PretrainedEncoder, load_encoder
from mergekit_speech.gathering.names import merged_names
from mergekit_speech.merging.held import HeldInputs, Values
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.shards.reader import open_checkpoint

if TYPE_CHECKING:
    from mergekit_speech.sweeping.job import Job
    from mergekit_speech.sweeping.point import SweepPoint


class MergedEncoder:
    """Built once from the base; every input is read once.

    Attributes:
        encoder: In evaluation mode, without gradients.
    """

    def __init__(self, job: Job) -> None:
        """Builds the encoder with the weights of the base.

        Raises:
            CheckpointError: The base is no encoder.
            ShardError: Its weights are damaged.
        """
        self.encoder: PretrainedEncoder = load_encoder(job.base).eval().requires_grad_(False)
        self._job, self._inputs = job, HeldInputs()
        names = [name for name in self.encoder.model.state_dict() if name not in self.encoder.filled]
        self._stored = merged_names(job.base, names)

    def become(self, point: SweepPoint) -> None:
        """Replaces the weights by those of a point.

        Raises:
            MsmError: The merge fails.
        """
        values, state = self._values(point), self.encoder.model.state_dict()
        for name, stored in self._stored.items():
            # The state dict shares the memory of the parameters, wherever they are.
            state[name].copy_(torch.from_numpy(values[stored].astype(np.float32)))

    def _values(self, point: SweepPoint) -> Values:
        if point.end is not None:
            return self._inputs.read(open_checkpoint(self._job.folder(point)))
        return self._inputs.merge(make_plan(self._job.recipe(point)))
