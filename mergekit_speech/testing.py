"""For authors of strategies: tiny checkpoints to merge, and a check that a strategy keeps the contract."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.api import NOTHING, Args, Array, Block, Param, Scope, Strategy, Sums, Value, namespace
from mergekit_speech.merging.apply import Rule, add_sums, all_finite
from mergekit_speech.merging.arguments import check_arguments
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.writer import ShardWriter, lay_out

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TINY_SHAPES: Mapping[str, tuple[int, ...]] = {
    "encoder.layers.0.weight": (7, 5),
    "encoder.layers.0.bias": (7,),
    "encoder.layers.1.weight": (3, 2, 5),
    "encoder.scale": (),
}
# Odd sizes, one element, no dimension.
CHECKED_SHAPES = ((7, 9), (1,), (), (37,), (3, 5, 2))
CUTS = (10, 23)


def tiny_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    shapes: Mapping[str, tuple[int, ...]] = TINY_SHAPES,
    arrays: Mapping[str, npt.NDArray[Any]] | None = None,
    shard_size: int | None = None,
) -> Path:
    """Write a checkpoint folder of random float32 weights, a `config.json`, and nothing that needs a model.

    Args:
        folder: Where; it is made, and weights that are there already are replaced.
        seed: Of the weights.
        shapes: Shapes of the parameters by name.
        arrays: Values to write in place of random ones, of any format that a header can name.
        shard_size: Most bytes in a file; None for a single file.

    Returns:
        The folder.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn = {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}
    chosen = drawn if arrays is None else arrays
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("model*.safetensors*"):
        stale.unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "dtype": "float32"}), encoding="utf-8")
    parameters = [Parameter(name, _header_name(array.dtype), array.shape) for name, array in chosen.items()]
    metadata = {"format": "pt"}
    with ShardWriter(folder, lay_out(parameters, metadata, shard_size)) as writer:
        for name, array in chosen.items():
            writer.write(name, memoryview(array.tobytes()))
        writer.finish(metadata)
    return folder


def check_strategy(strategy: Strategy, *, seed: int = 0) -> None:
    """Prove the facts that a strategy states about itself, on random values.

    Checked: the settings' own declarations; float32 in, float32 of the same shape out, at every end of every setting's
    range and with every number of encoders up to three; inputs are not written to and not given back; two calls give
    the same bits; the scope, by cutting blocks and by changing single elements; `arrays="any"` on numpy and on torch.

    Args:
        strategy: What to check.
        seed: Of the values.

    Raises:
        AssertionError: A fact does not hold; the message says which, and for which settings.
    """
    for name, param in strategy.params.items():
        _check_param(name, param)
    _check_passes(strategy)
    for encoders in _encoder_counts(strategy):
        for values in _samples(strategy):
            args = _resolve(strategy, values, encoders)
            for kind in ("numpy", "torch") if strategy.arrays == "any" else ("torch",):
                _check_values(_Trial(strategy, args, kind, _draw(encoders, seed, kind)))
            if strategy.arrays == "any":
                _check_kinds_agree(strategy, args, encoders, seed)


@dataclass(frozen=True)
class _Trial:
    """A strategy with settings and one block for each parameter of a little model."""

    strategy: Strategy
    args: Args
    kind: str
    blocks: tuple[Block, ...]

    def found(self, blocks: Sequence[Sequence[Block]]) -> Mapping[str, Any]:
        rule, found = Rule("checked", self.strategy, self.args), NOTHING
        for _ in range(self.strategy.passes_for(self.args)):
            sums: Sums = {}
            for pieces in blocks:
                sums = add_sums(sums, rule.measure(pieces, found))
            found = rule.settle(sums, found)
        return found

    def merge_all(self, cut: int | None = None) -> list[Array]:
        """Merge every parameter; `cut` is the number of elements of a piece, None for whole parameters."""
        pieces = [list(_cut(block, cut)) if cut else [block] for block in self.blocks]
        rule = Rule("checked", self.strategy, self.args)
        over_all = self.strategy.scope_for(self.args) is Scope.MODEL
        common = self.found(pieces) if over_all else NOTHING
        merged = []
        for block, parts in zip(self.blocks, pieces, strict=True):
            found = common if over_all else self.found([parts])
            merged.append(_join([rule.merge(part, found) for part in parts], block.shape))
        return merged

    def fail(self, text: str) -> AssertionError:
        return AssertionError(f"{text} ({self.kind} arrays, settings {dict(self.args.values)})")


def _check_values(trial: _Trial) -> None:
    before = [_copy(block) for block in trial.blocks]
    merged = trial.merge_all()
    for block, old, new in zip(trial.blocks, before, merged, strict=True):
        if not _same(_inputs(block), _inputs(old)):
            raise trial.fail(f"expected the inputs as they were, came other values after merging shape {block.shape}")
        if not all_finite(new):
            raise trial.fail(f"expected finite values from finite values, came NaN or infinity for {block.shape}")
    if not _same(merged, trial.merge_all()):
        raise trial.fail("expected the same bits twice, came different ones: draw from (seed, name, flat index) only")
    _check_new(trial)
    _check_cuts(trial, merged)


def _check_new(trial: _Trial) -> None:
    block = trial.blocks[0]
    found = trial.found([[block]])
    merged = trial.strategy.merge(block, trial.args, found)
    before = _copy(block)
    merged += 1
    if not _same(_inputs(block), _inputs(before)):
        raise trial.fail("expected a new array, came one that shares memory with an input")


def _check_cuts(trial: _Trial, whole: list[Array]) -> None:
    if (trial.kind == "torch" and trial.strategy.arrays == "any") or not trial.strategy.cuts_for(trial.args):
        return
    for cut in CUTS:
        if not _same(whole, trial.merge_all(cut)):
            raise trial.fail(f"expected the same bits from pieces of {cut} elements, came others: the scope is wider")


def _check_kinds_agree(strategy: Strategy, args: Args, encoders: int, seed: int) -> None:
    import numpy as np

    numpy_trial, torch_trial = (
        _Trial(strategy, args, kind, _draw(encoders, seed, kind)) for kind in ("numpy", "torch")
    )
    for ours, theirs in zip(numpy_trial.merge_all(), torch_trial.merge_all(), strict=True):
        if not np.allclose(ours, theirs.numpy(), rtol=1e-6, atol=1e-7):
            raise torch_trial.fail("expected equal values from numpy arrays and from tensors, came different ones")


def _check_param(name: str, param: Param) -> None:
    if not param.doc.strip() or "\n" in param.doc:
        raise AssertionError(f"expected one line of doc for setting {name!r}, came {param.doc!r}")
    strategy = Strategy(merge=_give_base, summary="", source="", params={name: param})
    for value in (() if param.default is None else (param.default,)) + tuple(_ends(param)):
        faults = check_arguments("checked", strategy, {name: value}, [{}])[1]
        if faults:
            raise AssertionError(f"setting {name!r} refuses its own default or end of range: {faults[0].text}")
    for wrong in _wrong(param):
        if not check_arguments("checked", strategy, {name: wrong}, [{}])[1]:
            raise AssertionError(f"expected setting {name!r} to refuse {wrong!r}, came no fault")


def _check_passes(strategy: Strategy) -> None:
    complete = strategy.measure is not None and strategy.settle is not None and strategy.passes > 0
    if not complete and (strategy.measure or strategy.settle or strategy.passes or strategy.scope is Scope.MODEL):
        raise AssertionError(
            "expected measure, settle and passes together, and always for scope MODEL, "
            f"came measure {strategy.measure}, settle {strategy.settle}, passes {strategy.passes}"
        )


def _give_base(block: Block, _args: Args, _found: Mapping[str, Any]) -> Array:
    return block.base


def _encoder_counts(strategy: Strategy) -> range:
    needs = strategy.needs
    return range(needs.least, min(needs.most or math.inf, max(3, needs.least)).__int__() + 1)


def _ends(param: Param) -> Iterator[Value]:
    if param.kind is bool:
        yield from (False, True)
    yield from param.choices
    yield from (param.kind(end) for end in (param.low, param.high) if end is not None)


def _wrong(param: Param) -> Iterator[object]:
    yield [] if param.kind is not bool else "yes"
    if param.choices:
        yield f"no {param.choices[0]}"
    if param.low is not None:
        yield param.kind(math.floor(param.low) - 1)
    if param.high is not None:
        yield param.kind(math.ceil(param.high) + 1)
    if param.kind is float:
        yield math.nan


def _middle(param: Param) -> Value:
    if param.default is not None:
        return param.default
    if param.choices:
        return param.choices[0]
    if param.low is not None and param.high is not None:
        return param.kind((param.low + param.high) / 2)
    return param.kind(next((end for end in (param.low, param.high) if end is not None), 1))


def _samples(strategy: Strategy) -> list[dict[str, Value]]:
    middle = {name: _middle(param) for name, param in strategy.params.items()}
    # Settings often have an effect only beside others, such as the way of trimming beside a density.
    inner = {name: _inner(param, middle[name]) for name, param in strategy.params.items()}
    samples = [middle, inner]
    for name, param in strategy.params.items():
        samples += [{**start, name: value} for start in (middle, inner) for value in _ends(param)]
    return [sample for index, sample in enumerate(samples) if sample not in samples[:index]]


def _inner(param: Param, middle: Value) -> Value:
    if param.low is None or param.high is None:
        return middle
    return param.kind((param.low + param.high) / 2)


def _resolve(strategy: Strategy, values: Mapping[str, Value], encoders: int) -> Args:
    args, faults = check_arguments("checked", strategy, values, [{}] * encoders)
    if faults:
        raise AssertionError(f"expected settings that the strategy takes, came {faults[0].text}")
    return args


def _draw(encoders: int, seed: int, kind: str) -> tuple[Block, ...]:
    import numpy as np

    rng = np.random.default_rng(seed)
    blocks = []
    for number, shape in enumerate(CHECKED_SHAPES):
        arrays = [np.asarray(rng.standard_normal(shape), np.float32) for _ in range(encoders + 1)]
        base, *tuned = (_of_kind(array, kind) for array in arrays)
        blocks.append(Block(f"parameter.{number}", shape, 0, base, tuple(tuned), seed))
    return tuple(blocks)


def _of_kind(array: npt.NDArray[np.float32], kind: str) -> Array:
    if kind == "numpy":
        return array
    import torch

    return torch.from_numpy(array)


def _cut(block: Block, size: int) -> Iterator[Block]:
    flat = [array.reshape(-1) for array in _inputs(block)]
    for start in range(0, flat[0].shape[0], size):
        base, *tuned = (array[start : start + size] for array in flat)
        yield replace(block, start=start, base=base, tuned=tuple(tuned))


def _join(parts: Sequence[Array], shape: tuple[int, ...]) -> Array:
    if len(parts) == 1:
        return parts[0].reshape(shape)
    return namespace(parts[0]).concatenate(tuple(parts)).reshape(shape)


def _inputs(block: Block) -> list[Array]:
    return [block.base, *block.tuned]


def _copy(block: Block) -> Block:
    base, *tuned = (array + 0 for array in _inputs(block))
    return replace(block, base=base, tuned=tuple(tuned))


def _same(left: Sequence[Array], right: Sequence[Array]) -> bool:
    return all(bool((one == other).all()) for one, other in zip(left, right, strict=True))


def _header_name(dtype: np.dtype[Any]) -> str:
    if dtype.name == "bfloat16":
        return "BF16"
    return "BOOL" if dtype.kind == "b" else f"{dtype.kind.upper()}{dtype.itemsize * 8}"
