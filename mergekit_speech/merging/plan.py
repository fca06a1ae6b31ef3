"""From a recipe and headers to ordered steps; no weights are read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mergekit_speech.api import Args, Strategy
from mergekit_speech.errors import OutputError, RecipeError, SettingsError
from mergekit_speech.merging.arguments import resolve_arguments
from mergekit_speech.merging.pairing import check_pairs, is_kept
from mergekit_speech.merging.provenance import UNKNOWN_DIGEST, describe_metadata
from mergekit_speech.merging.recipe import Recipe
from mergekit_speech.registry import STRATEGIES, suggestion
from mergekit_speech.shards.dtypes import FLOAT_NAMES, FLOATS, SIZES
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, open_checkpoint
from mergekit_speech.shards.writer import Shard, lay_out

MEMORY = 256 << 20
SHARD_SIZE = 5_000_000_000
# Inputs, temporaries and output of such a block stay in a core's second-level cache.
CACHED_ELEMENTS = 1 << 17
LEAST_ELEMENTS = 1 << 12


@dataclass(frozen=True)
class Limits:
    """What a merge may use; none of it changes a bit of the result.

    Attributes:
        memory: Bytes for blocks in flight.
        threads: Parameters in work at the same time; 0 for one per core that the process may use.
        shard_size: Most bytes in one output file.
    """

    memory: int = MEMORY
    threads: int = 0
    shard_size: int = SHARD_SIZE


@dataclass(frozen=True)
class Step:
    """What happens to one parameter.

    Attributes:
        parameter: As the base holds it.
        dtype: Format in which it is written, as in a header.
        copied: Why it is copied from the base; empty if it is merged.
        sources: Indices of the inputs that hold it, the base, 0, first.
        block: Elements that are read, computed and written at a time.
        memory: Most bytes that one block needs.
    """

    parameter: Parameter
    dtype: str
    copied: str
    sources: tuple[int, ...]
    block: int
    memory: int


@dataclass(frozen=True)
class Plan:
    """Everything that the engine will do.

    Attributes:
        recipe: What was asked for.
        strategy: The rule.
        args: Its settings.
        inputs: The checkpoints, the base first.
        steps: One for each parameter of the base, in the order of the base's bytes.
        shards: The files to write.
        threads: Parameters in work at the same time.
        memory: Bytes for blocks in flight.
    """

    recipe: Recipe
    strategy: Strategy
    args: Args
    inputs: tuple[Checkpoint, ...]
    steps: tuple[Step, ...]
    shards: tuple[Shard, ...]
    threads: int
    memory: int

    @property
    def bytes_read(self) -> int:
        """Bytes of all inputs, each counted once for every pass over it."""
        passes = self.strategy.passes_for(self.args)
        merged = {step.parameter.name for step in self.steps if not step.copied}
        return sum(
            parameter.size * (1 + passes * (parameter.name in merged))
            for checkpoint in self.inputs
            for parameter in checkpoint.parameters.values()
        )

    @property
    def bytes_written(self) -> int:
        """Bytes of all files of weights."""
        return sum(shard.size for shard in self.shards)

    @property
    def peak_memory(self) -> int:
        """Most bytes of blocks in flight."""
        largest = sorted((step.memory for step in self.steps), reverse=True)[: self.threads]
        return min(sum(largest), max(self.memory, *largest)) if largest else 0


def make_plan(recipe: Recipe, limits: Limits | None = None) -> Plan:
    """Read headers, check everything that can be checked without weights, and order the steps.

    Args:
        recipe: What to merge.
        limits: What it may use.

    Raises:
        StrategyError: The strategy or one of its settings is unknown or out of range.
        CheckpointError: A folder is no checkpoint.
        ShardError: A shard is missing or malformed.
        PairingError: The encoders do not hold the same parameters.
        SettingsError: The memory limit is too small for the largest block, or a limit makes no sense.
        RecipeError: The dtype is unknown, or an encoder is given twice.
    """
    limits = limits or Limits()
    _check_limits(limits)
    strategy = STRATEGIES.load(recipe.strategy)
    own = [encoder.params for encoder in recipe.tuned]
    args = resolve_arguments(recipe.strategy, strategy, recipe.params, own, extrapolate=recipe.extrapolate)
    _check_recipe(recipe)
    inputs = tuple(open_checkpoint(path) for path in recipe.inputs)
    tuned = {str(each.folder): each.parameters for each in inputs[1:]}
    check_pairs(inputs[0].parameters, tuned, recipe.keep)
    threads = limits.threads or _count_cores()
    sizer = _Sizer(strategy, strategy.cuts_for(args), limits.memory // threads, limits.memory)
    steps = tuple(_make_step(each, recipe, inputs, sizer) for each in inputs[0].parameters.values())
    written = [replace(step.parameter, dtype=step.dtype) for step in steps]
    metadata = describe_metadata(recipe, args, [UNKNOWN_DIGEST] * len(inputs))
    shards = lay_out(written, metadata, limits.shard_size)
    return Plan(recipe, strategy, args, inputs, steps, shards, threads, limits.memory)


def check_output(output: Path, inputs: Iterable[Path]) -> None:
    """Check that the output does not lie in an input, nor an input in it.

    Raises:
        OutputError: It does.
    """
    place = output.resolve()
    for path in inputs:
        folder = path.resolve()
        if place == folder or place in folder.parents or folder in place.parents:
            raise OutputError(
                f"expected an output apart from the inputs, came {output} with input {path}; choose another"
            )


@dataclass(frozen=True)
class _Sizer:
    strategy: Strategy
    cuts: bool
    share: int
    memory: int

    def size(self, parameter: Parameter, inputs: list[str], dtype: str, *, merged: bool) -> tuple[int, int]:
        """Give elements and bytes of a block.

        Raises:
            SettingsError: The parameter must be whole, and does not fit into memory.
        """
        each = _bytes_per_element(inputs, dtype, self.strategy.copies if merged else 0)
        if self.cuts or not merged:
            block = max(LEAST_ELEMENTS, min(CACHED_ELEMENTS, self.share // each))
            return block, block * each
        if parameter.elements * each > self.memory:
            needed = -(-parameter.elements * each // (1 << 20))
            raise SettingsError(
                f"parameter {parameter.name!r} needs {needed} MB at once, the limit is {self.memory >> 20} MB; "
                f"give --memory {needed}MB or more"
            )
        return max(1, parameter.elements), parameter.elements * each


def _bytes_per_element(inputs: list[str], dtype: str, copies: int) -> int:
    read = sum(SIZES[each] + (0 if each == "F32" else 4) for each in inputs)
    return read + 4 * copies + (0 if dtype == "F32" else SIZES[dtype])


def _make_step(parameter: Parameter, recipe: Recipe, inputs: tuple[Checkpoint, ...], sizer: _Sizer) -> Step:
    name = parameter.name
    copied = _why_copied(parameter, recipe)
    dtype = FLOAT_NAMES[recipe.dtype] if recipe.dtype and parameter.dtype in FLOATS else parameter.dtype
    sources = tuple(index for index, each in enumerate(inputs) if name in each.parameters)
    formats = [inputs[index].parameters[name].dtype for index in sources]
    block, memory = sizer.size(parameter, formats, dtype, merged=not copied)
    return Step(parameter, dtype, copied, sources, block, memory)


def _why_copied(parameter: Parameter, recipe: Recipe) -> str:
    if parameter.dtype not in FLOATS:
        return f"{parameter.dtype} is not merged"
    if is_kept(parameter.name, recipe.keep):
        return "kept from the base"
    return "" if parameter.elements else "empty"


def _count_cores() -> int:
    # What the process may use is less than what the machine has in containers and batch jobs.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_limits(limits: Limits) -> None:
    for name, value, least in (
        ("memory", limits.memory, 1 << 20),
        ("threads", limits.threads, 0),
        ("shard size", limits.shard_size, 1),
    ):
        if value < least:
            raise SettingsError(f"expected {name} of at least {least}, came {value!r}")


def _check_recipe(recipe: Recipe) -> None:
    if recipe.dtype is not None and recipe.dtype not in FLOAT_NAMES:
        listed = ", ".join(FLOAT_NAMES)
        raise RecipeError(
            f"expected a dtype out of {listed}, came {recipe.dtype!r}{suggestion(recipe.dtype, FLOAT_NAMES)}"
        )
    counts = Counter(encoder.path.resolve() for encoder in recipe.tuned)
    for path, count in counts.items():
        if count > 1:
            raise RecipeError(
                f"expected each tuned encoder once, came {path} {count} times; give it a larger weight instead"
            )
