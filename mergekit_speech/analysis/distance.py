"""How far two checkpoints are from one another: a block at a time, summed in float64, whole and part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import sqrt
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mergekit_speech.analysis.parts import find_parts
from mergekit_speech.analysis.sides import open_sides
from mergekit_speech.errors import PairingError
from mergekit_speech.merging.inputs import open_weights
from mergekit_speech.merging.pairing import check_pairs
from mergekit_speech.shards.dtypes import FLOATS, SIZES, numpy_dtype
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, Weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

BLOCK = 1 << 17


@dataclass(frozen=True)
class Distance:
    """How far the second checkpoint is from the first, over some parameters; a figure is NaN if a weight is.

    Attributes:
        name: A part, a parameter, or "whole".
        elements: Number of elements.
        l2: ‖second − first‖₂.
        relative: `l2` / ‖first‖₂; infinite if only the first is all zeros.
        cosine: Of the angle between the weights, −1 to 1; None if one side is all zeros.
        same_sign: Fraction of elements with the same sign; zero is a sign of its own.
        delta_cosine: The same of the deltas from the base; None also without a base.
        delta_same_sign: The same of the deltas from the base; None without a base.
    """

    name: str
    elements: int
    l2: float
    relative: float
    cosine: float | None
    same_sign: float
    delta_cosine: float | None
    delta_same_sign: float | None


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints side by side.

    Attributes:
        first: The one that distances are relative to.
        second: The other one.
        base: What both were tuned from, if it was given.
        whole: Over all parameters.
        parts: By layer, and by module beside the layers.
        parameters: One by one.
        unmerged: Parameters that hold no floating-point numbers, by name: whether they are the same.
        left_out: By checkpoint, why tensors are not compared, by their stored names.
    """

    first: Path
    second: Path
    base: Path | None
    whole: Distance
    parts: tuple[Distance, ...]
    parameters: tuple[Distance, ...]
    unmerged: Mapping[str, bool]
    left_out: Mapping[str, Mapping[str, str]]


def compare_checkpoints(
    first: Path,
    second: Path,
    *,
    base: Path | None = None,
    keep: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Measure how far two checkpoints are from one another.

    Holds one block of each at a time, so that memory does not grow with the checkpoints.

    Args:
        first: The checkpoint that distances are relative to, in any layout, or an adapter.
        second: The other one; of another layout, parameters pair by their canonical names.
        base: What both were tuned from, to compare their deltas too; adapters are put on it.
        keep: Glob patterns of parameters to leave out.
        progress: Called after every parameter with the number done and of all.

    Raises:
        CheckpointError: A path is no checkpoint, or a part of one, or an adapter whose base is not there.
        ShardError: A file is missing, cut short or malformed.
        PairingError: The checkpoints do not hold the same parameters, or none that can be compared.
    """
    sides = open_sides((first, second, *([base] if base else [])), base)
    checkpoints = [side.checkpoint for side in sides]
    parameters = _pair(checkpoints, keep)
    parts = find_parts(parameters)
    sums: dict[str, Sums] = {}
    unmerged: dict[str, bool] = {}
    with ExitStack() as stack:
        weights = [stack.enter_context(open_weights(each)) for each in checkpoints]
        for done, name in enumerate(parts, 1):
            if parameters[name].dtype in FLOATS:
                sums[name] = _add_all(_measure(values) for values in _read_values(weights, name))
            else:
                unmerged[name] = _is_same(weights[0], weights[1], name)
            if progress is not None:
                progress(done, len(parts))
    groups: dict[str, list[Sums]] = {}
    for name, each in sums.items():
        groups.setdefault(parts[name], []).append(each)
    return Comparison(
        first=first,
        second=second,
        base=base,
        whole=_describe("whole", _add_all(sums.values()), base),
        parts=tuple(_describe(part, _add_all(group), base) for part, group in groups.items()),
        parameters=tuple(_describe(name, each, base) for name, each in sums.items()),
        unmerged=unmerged,
        left_out={str(side.checkpoint.folder): side.left_out for side in sides if side.left_out},
    )


class Sums(NamedTuple):
    """What adds up over blocks: squares and products of weights and deltas, and counts of equal signs."""

    elements: float = 0
    difference: float = 0
    first: float = 0
    second: float = 0
    product: float = 0
    same_sign: float = 0
    first_delta: float = 0
    second_delta: float = 0
    delta_product: float = 0
    delta_same_sign: float = 0


def _pair(checkpoints: Sequence[Checkpoint], keep: Sequence[str]) -> Mapping[str, Parameter]:
    sides = [
        {
            name: parameter
            for name, parameter in each.parameters.items()
            if not any(fnmatchcase(name, pattern) for pattern in keep)
        }
        for each in checkpoints
    ]
    first, *others = sides
    check_pairs(first, {str(each.folder): side for each, side in zip(checkpoints[1:], others, strict=True)})
    if not any(parameter.dtype in FLOATS for parameter in first.values()):
        raise PairingError(
            f"expected floating-point parameters to compare in {checkpoints[0].folder}, came none; check --keep"
        )
    return first


def _read_values(weights: Sequence[Weights], name: str) -> Iterable[list[Values]]:
    for pieces in _read_pieces(weights, name):
        yield [piece.astype("float64") for piece in pieces]


def _read_pieces(weights: Sequence[Weights], name: str) -> Iterable[list[npt.NDArray[Any]]]:
    import numpy as np

    parameters = [each.checkpoint.parameters[name] for each in weights]
    elements = parameters[0].elements
    for start in range(0, elements, BLOCK):
        pieces = []
        for each, parameter in zip(weights, parameters, strict=True):
            size = SIZES[parameter.dtype]
            buffer = np.empty(size * min(BLOCK, elements - start), np.uint8)
            each.read_into(name, buffer.data, start * size)
            pieces.append(buffer.view(numpy_dtype(parameter.dtype)) if parameter.dtype in FLOATS else buffer)
        yield pieces


def _is_same(first: Weights, second: Weights, name: str) -> bool:
    if first.checkpoint.parameters[name].dtype != second.checkpoint.parameters[name].dtype:
        return False
    return all(bool((one == other).all()) for one, other in _read_pieces((first, second), name))


def _measure(values: Sequence[Values]) -> Sums:
    import numpy as np

    # Infinities show in the figures; that they were subtracted need not be said too.
    with np.errstate(all="ignore"):
        return _sum_up(values)


def _sum_up(values: Sequence[Values]) -> Sums:
    first, second, *base = values
    difference = second - first
    sums = Sums(
        len(first),
        _dot(difference, difference),
        _dot(first, first),
        _dot(second, second),
        _dot(first, second),
        _count_same_signs(first, second),
    )
    if not base:
        return sums
    one, other = first - base[0], second - base[0]
    return sums._replace(
        first_delta=_dot(one, one),
        second_delta=_dot(other, other),
        delta_product=_dot(one, other),
        delta_same_sign=_count_same_signs(one, other),
    )


def _dot(one: Values, other: Values) -> float:
    import numpy as np

    # Unlike `@`, it adds up in the same order however many threads there are.
    return float(np.einsum("i,i->", one, other))


def _count_same_signs(one: Values, other: Values) -> int:
    import numpy as np

    return int(np.count_nonzero(((one > 0) == (other > 0)) & ((one < 0) == (other < 0))))


def _add_all(items: Iterable[Sums]) -> Sums:
    total = Sums()
    for each in items:
        total = Sums(*map(add, total, each))
    return total


def _describe(name: str, sums: Sums, base: Path | None) -> Distance:
    l2 = sqrt(sums.difference)
    norm = sqrt(sums.first)
    return Distance(
        name=name,
        elements=int(sums.elements),
        l2=l2,
        relative=l2 / norm if norm else (float("inf") if l2 else 0.0),
        cosine=_cosine(sums.product, sums.first, sums.second),
        same_sign=sums.same_sign / sums.elements if sums.elements else 1.0,
        delta_cosine=_cosine(sums.delta_product, sums.first_delta, sums.second_delta),
        delta_same_sign=sums.delta_same_sign / sums.elements if base and sums.elements else None,
    )


def _cosine(product: float, first: float, second: float) -> float | None:
    # The root of each, since the product of two squares may be too small or too large for a float.
    norms = sqrt(first) * sqrt(second)
    return max(-1.0, min(1.0, product / norms)) if norms else None
