"""Blocks in and out: bytes of the inputs become float32 arrays, results become bytes at their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from mergekit_speech.api import Array, Block
from mergekit_speech.errors import SettingsError, ShardError
from mergekit_speech.merging.apply import all_finite
from mergekit_speech.merging.plan import Plan, Step
from mergekit_speech.shards.dtypes import FLOATS, SIZES, numpy_dtype
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Weights

if TYPE_CHECKING:
    import numpy.typing as npt

Hashers = Mapping[int, blake3]


@dataclass(frozen=True)
class BlockReader:
    """Reads the blocks of a plan's steps; one for all threads.

    Attributes:
        plan: What is to be done.
        weights: The open inputs, the base first.
    """

    plan: Plan
    weights: Sequence[Weights]

    def blocks(self, step: Step, hashers: Hashers) -> Iterator[Block]:
        """Read the blocks of a merged parameter; each is overwritten by the next.

        Args:
            step: Which parameter.
            hashers: What to feed the bytes of each input to, by its index.

        Raises:
            ShardError: A file ends early, or holds NaN or infinity.
        """
        parameter = step.parameter
        whole = not self.plan.strategy.cuts_for(self.plan.args)
        for start, pieces in self.pieces(step, hashers):
            arrays = [self._to_float32(pieces[index], index, parameter, start) for index in step.sources]
            if whole:
                arrays = [array.reshape(parameter.shape) for array in arrays]
            base, *tuned = self._wrap(arrays)
            yield Block(parameter.name, parameter.shape, start, base, tuple(tuned), self.plan.recipe.seed)

    def pieces(self, step: Step, hashers: Hashers) -> Iterator[tuple[int, Mapping[int, npt.NDArray[np.uint8]]]]:
        """Read the bytes of a parameter in all inputs that hold it, a block at a time; each overwrites the one before.

        Yields:
            Index of the first element, and the bytes by the index of the input.

        Raises:
            ShardError: A file ends early.
        """
        name = step.parameter.name
        sizes = {index: SIZES[self.weights[index].checkpoint.parameters[name].dtype] for index in step.sources}
        counts = {index: self.weights[index].checkpoint.parameters[name].elements for index in step.sources}
        buffers = {index: np.empty(min(step.block, counts[index]) * sizes[index], np.uint8) for index in step.sources}
        for start in range(0, max(1, *counts.values(), 0), step.block):
            pieces = {}
            for index in step.sources:
                count = max(0, min(step.block, counts[index] - start))
                piece = buffers[index][: count * sizes[index]]
                self.weights[index].read_into(name, piece.data, start * sizes[index])
                if index in hashers:
                    hashers[index].update(piece.data)
                pieces[index] = piece
            yield start, pieces

    def check_finite(self, array: npt.NDArray[Any], index: int, parameter: Parameter, start: int) -> None:
        """Refuse NaN and infinity.

        Raises:
            ShardError: There is one; the message says where.
        """
        if not all_finite(array):
            first = start + int(np.flatnonzero(~np.isfinite(array))[0])
            file: Path = self.weights[index].checkpoint.files[parameter.name]
            value = array[first - start]
            raise ShardError(
                f"expected finite values, came {float(value)} in parameter {parameter.name!r} at element {first} "
                f"of {file}; train or fetch that checkpoint again"
            )

    def _to_float32(
        self, piece: npt.NDArray[np.uint8], index: int, parameter: Parameter, start: int
    ) -> npt.NDArray[np.float32]:
        dtype = self.weights[index].checkpoint.parameters[parameter.name].dtype
        array = piece.view(numpy_dtype(dtype)).astype(np.float32, copy=False)
        self.check_finite(array, index, parameter, start)
        return array

    def _wrap(self, arrays: list[npt.NDArray[np.float32]]) -> list[Array]:
        if self.plan.strategy.arrays == "torch":
            import torch

            return [torch.from_numpy(array) for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        return list(arrays)


def to_bytes(array: Array, dtype: str, name: str) -> npt.NDArray[np.uint8]:
    """Round an array to the format in which it is written.

    Args:
        array: Floating-point values, any shape; a numpy array or a tensor.
        dtype: Format, as in a header.
        name: Name of the parameter, for messages.

    Raises:
        SettingsError: A value is too large for the format.
    """
    values: npt.NDArray[Any] = np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)
    rounded = np.ascontiguousarray(values).reshape(-1).astype(numpy_dtype(dtype), copy=False)
    if rounded.dtype != values.dtype and not all_finite(rounded.astype(np.float32, copy=False)):
        largest = float(np.abs(values).max())
        raise SettingsError(
            f"expected values that fit {FLOATS[dtype]}, came {largest:g} in parameter {name!r}; give --dtype float32"
        )
    return rounded.view(np.uint8)
