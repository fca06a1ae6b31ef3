"""Merging again and again from inputs that are read once and kept in memory; no file is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mergekit_speech.api import Array
from mergekit_speech.merging.computation import Found
from mergekit_speech.merging.formats import to_values
from mergekit_speech.merging.inputs import open_weights
from mergekit_speech.merging.plan import Plan
from mergekit_speech.merging.process import Process
from mergekit_speech.shards.dtypes import FLOATS
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, Weights

if TYPE_CHECKING:
    import numpy.typing as npt

Values = Mapping[str, "npt.NDArray[Any]"]
"""Parameters by name, in their own formats and shapes; bytes of what is no floating-point number."""


class HeldInputs:
    """Inputs of merges by folder, each read when it is first wanted."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, npt.NDArray[np.uint8]]] = {}

    def merge(self, plan: Plan) -> Values:
        """Does what a plan says, to the bit as `run_plan` would write it, without digests.

        Args:
            plan: Its inputs must be what they were when their folders were first read.

        Raises:
            ShardError: An input is cut short, or holds NaN or infinity.
            StrategyError: The strategy failed, or gave NaN or infinity.
            SettingsError: A merged value does not fit the dtype.
        """
        sink = _Memory([step.parameter for step in plan.steps])
        Process(plan, sink, digest=False, open=self._open).run({}, lambda _step, _digests: None)
        return sink.values()

    def read(self, checkpoint: Checkpoint) -> Values:
        """Gives an input as it is.

        Raises:
            ShardError: It is cut short.
        """
        return _as_values(checkpoint.parameters, self._bytes(checkpoint))

    def _open(self, checkpoint: Checkpoint) -> Weights:
        return _HeldWeights(checkpoint, self._bytes(checkpoint))

    def _bytes(self, checkpoint: Checkpoint) -> dict[str, npt.NDArray[np.uint8]]:
        key = str(checkpoint.folder)
        if key not in self._held:
            held = {name: np.empty(each.size, np.uint8) for name, each in checkpoint.parameters.items()}
            with open_weights(checkpoint) as weights:
                for name, buffer in held.items():
                    weights.read_into(name, buffer.data)
            self._held[key] = held
        return self._held[key]


class _HeldWeights(Weights):
    """Weights that are read from memory."""

    def __init__(self, checkpoint: Checkpoint, held: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        super().__init__(checkpoint)
        self._held = held

    def __enter__(self) -> Self:
        return self

    def read_into(self, name: str, buffer: memoryview, start: int = 0) -> None:
        """See `Weights.read_into`."""
        buffer[:] = self._held[name].data[start : start + len(buffer)]


class _Memory:
    """Takes results in place of a writer."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = {each.name: each for each in parameters}
        self._written = {each.name: np.empty(each.size, np.uint8) for each in parameters}

    def write(self, name: str, data: memoryview, start: int = 0) -> None:
        self._written[name].data[start : start + len(data)] = data

    def write_masks(self, name: str, start: int, masks: Sequence[Array], found: Found) -> None:
        # Masks serve to take a merged checkpoint apart again; these are never written.
        return

    def values(self) -> Values:
        return _as_values(self._parameters, self._written)


def _as_values(parameters: Mapping[str, Parameter], raw: Mapping[str, npt.NDArray[np.uint8]]) -> Values:
    return {
        name: to_values(raw[name], each.dtype).reshape(each.shape) if each.dtype in FLOATS else raw[name]
        for name, each in parameters.items()
    }
