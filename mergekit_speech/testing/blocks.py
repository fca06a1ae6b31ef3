"""Blocks of a little model, to try strategies on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from mergekit_speech.api import Array, Block, Strategy, namespace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Odd sizes, one element, no dimension; inside and outside of layers, and in an encoder that has none.
SHAPES = ((7, 9), (1,), (), (37,), (3, 5, 2))
LAYERS = ((0, 3), (None, 3), (2, 3), (0, 1), (None, 0))

Statistic: TypeAlias = "Callable[[str, tuple[int, ...], np.random.Generator], npt.NDArray[np.float32] | None]"
"""Draws a statistic: from its kind, such as "fisher", the shape of the parameter, and what to draw it from."""


@dataclass(frozen=True)
class Source:
    """Where the blocks of a little model come from."""

    strategy: Strategy
    seed: int
    statistic: Statistic

    def blocks(self, encoders: int, kind: str, *, has_base: bool) -> tuple[Block, ...]:
        """One block for each shape, of numpy arrays or torch tensors as `kind` says."""
        import numpy as np

        rng = np.random.default_rng(self.seed)
        blocks = []
        for number, (shape, (layer, layers)) in enumerate(zip(SHAPES, LAYERS, strict=True)):
            base, *tuned = (np.asarray(rng.standard_normal(shape), np.float32) for _ in range(encoders + 1))
            auxiliary = {
                name: tuple(self.statistic(name, shape, rng) for _ in range(encoders))
                for name in self.strategy.needs.auxiliary
            }
            drawn = Block(
                f"parameter.{number}", shape, 0, base, tuple(tuned), self.seed, layer, layers, auxiliary=auxiliary
            )
            block = _map(drawn, lambda array: _of_kind(array, kind))
            blocks.append(block if has_base else replace(block, base=None))
        return tuple(blocks)


def draw_uniform(_kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draws a statistic: numbers between 0 and 1 in the parameter's shape."""
    import numpy as np

    return np.asarray(rng.random(shape), np.float32)


def _of_kind(array: npt.NDArray[np.float32], kind: str) -> Array:
    if kind == "numpy":
        return array
    import torch

    return torch.from_numpy(array)


def cut_up(block: Block, size: int) -> Iterator[Block]:
    """Pieces of at most `size` elements, in order."""

    def take(array: Array, start: int) -> Array:
        return array.reshape(-1)[start : start + size] if tuple(array.shape) == block.shape else array

    for start in range(0, math.prod(block.shape), size):
        yield replace(_map(block, partial(take, start=start)), start=start)


def _map(block: Block, change: Callable[[Array], Array]) -> Block:
    def of(array: Array | None) -> Array | None:
        return None if array is None else change(array)

    auxiliary = {kind: tuple(of(array) for array in arrays) for kind, arrays in block.auxiliary.items()}
    return replace(block, base=of(block.base), tuned=tuple(of(each) for each in block.tuned), auxiliary=auxiliary)


def join(parts: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Joins arrays of pieces into one of the whole shape."""
    if len(parts) == 1:
        return parts[0].reshape(shape)
    return namespace(parts[0]).concatenate(tuple(parts)).reshape(shape)


def inputs_of(block: Block) -> list[Array]:
    """Every array of a block."""
    statistics = [array for arrays in block.auxiliary.values() for array in arrays]
    return [array for array in (block.base, *block.tuned, *statistics) if array is not None]


def copy(block: Block) -> Block:
    """A block with arrays of new memory."""
    return _map(block, lambda array: array + 0)


def same(left: Sequence[Array], right: Sequence[Array]) -> bool:
    """Whether arrays agree in every element."""
    return all(bool((one == other).all()) for one, other in zip(left, right, strict=True))
