"""From a recipe and headers to ordered steps; no weights are read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mergekit_speech.api import Scope
from mergekit_speech.errors import OutputError, RecipeError, SettingsError
from mergekit_speech.merging.apply import Rule
from mergekit_speech.merging.device import open_device
from mergekit_speech.merging.inputs import Inputs
from mergekit_speech.merging.layers import find_stack
from mergekit_speech.merging.matching import Naming
from mergekit_speech.merging.outline import Outliner
from mergekit_speech.merging.parts import Entry
from mergekit_speech.merging.problems import Problems
from mergekit_speech.merging.provenance import describe_metadata
from mergekit_speech.merging.reading import Reading
from mergekit_speech.merging.recipe import Recipe
from mergekit_speech.merging.sizing import Sizer
from mergekit_speech.merging.terms import Leaf, Mix, Term, leaves, measured, mixes
from mergekit_speech.registry import suggestion
from mergekit_speech.shards.dtypes import FLOAT_NAMES, FLOATS
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint
from mergekit_speech.shards.writer import Shard, lay_out

MEMORY = 256 << 20
SHARD_SIZE = 5_000_000_000


@dataclass(frozen=True)
class Limits:
    """What a merge may use; none of it changes a value of the result.

    Attributes:
        memory: Bytes for blocks in flight.
        threads: Parameters in work at the same time; 0 for one per core that the process may use.
        shard_size: Most bytes in one output file.
        device: Where strategies compute: "cpu", "cuda" or "cuda:1" and so on.
    """

    memory: int = MEMORY
    threads: int = 0
    shard_size: int = SHARD_SIZE
    device: str = "cpu"


@dataclass(frozen=True)
class Step:
    """What happens to one parameter.

    Attributes:
        parameter: As it is written.
        term: What it is made of.
        copied: Why it is copied; empty if it is merged.
        block: Elements that are computed and written at a time.
        held: Whether its inputs are read once, as a whole, and then measured and merged from memory.
        memory: Most bytes that this takes.
        digested: Leaves whose bytes no earlier step has digested.
    """

    parameter: Parameter
    term: Term
    copied: str
    block: int
    held: bool
    memory: int
    digested: frozenset[tuple[int, str]]

    @cached_property
    def leaves(self) -> Mapping[tuple[int, str], Leaf]:
        """Everything that it reads."""
        return leaves(self.term)

    @cached_property
    def mixes(self) -> tuple[Mix, ...]:
        """Everything that it computes, inner ones first."""
        return mixes(self.term)

    @cached_property
    def measured(self) -> tuple[Mix, ...]:
        """Those of them that count in sums over all parameters."""
        return measured(self.term)


@dataclass(frozen=True)
class Plan:
    """Everything that the engine will do.

    Attributes:
        recipe: What was asked for.
        rules: Strategies with their settings; those of earlier merges come first.
        inputs: Checkpoints and files of statistics.
        readings: What each of them is; None for what is no encoder of a known family.
        namings: What became of the names of each encoder, in the order of their use.
        steps: One for each parameter of the result, in the order of the bytes of what lends the names.
        shards: The files to write.
        layers: Number of transformer layers of the result, where it is not that of the inputs.
        threads: Parameters in work at the same time.
        memory: Bytes for blocks in flight.
        device: Where strategies compute.
    """

    recipe: Recipe
    rules: tuple[Rule, ...]
    inputs: tuple[Checkpoint, ...]
    readings: tuple[Reading | None, ...]
    namings: tuple[Naming, ...]
    steps: tuple[Step, ...]
    shards: tuple[Shard, ...]
    layers: int | None
    threads: int
    memory: int
    device: str

    @property
    def unread(self) -> tuple[Leaf, ...]:
        """What inputs hold and no step reads; it is digested all the same."""
        read = {key for step in self.steps for key in step.digested}
        listed = (
            Leaf(number, parameter)
            for number, checkpoint in enumerate(self.inputs)
            for parameter in checkpoint.parameters.values()
        )
        return tuple(leaf for leaf in listed if leaf.key not in read)

    @property
    def bytes_read(self) -> int:
        """Bytes of all inputs, counted once for every time that they are read."""
        return sum(step_reads(step, self.rules) for step in self.steps) + sum(
            leaf.parameter.size for leaf in self.unread
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


def step_reads(step: Step, rules: Sequence[Rule]) -> int:
    """Give the bytes that a step reads, all passes together."""
    total = sum(leaf.parameter.size for leaf in step.leaves.values())
    for mix in step.measured:
        rule = rules[mix.rule]
        if not rule.passes:
            continue
        if rule.scope is Scope.MODEL or not step.held:
            total += rule.passes * sum(leaf.parameter.size for leaf in leaves(mix).values())
    return total


def make_plan(recipe: Recipe, limits: Limits | None = None, *, output: Path | None = None) -> Plan:
    """Read headers, check everything that can be checked without weights, and order the steps.

    Args:
        recipe: What to merge.
        limits: What it may use.
        output: Folder to make, if it is to be checked too.

    Raises:
        MsmError: Something is wrong; the message lists all of it, the class is that of the first. Alone they are:
            StrategyError: A strategy or one of its settings is unknown or out of range, or it needs more than is given.
            CheckpointError: A folder is no checkpoint, or statistics are missing.
            ShardError: A shard is missing or malformed.
            PairingError: The encoders do not hold the same parameters.
            SettingsError: The memory limit is too small for the largest block, or a limit makes no sense.
            RecipeError: The dtype is unknown, slices make no sense, or an encoder is given twice.
            OutputError: The output lies in an input, or an input in it.
    """
    limits, problems = limits or Limits(), Problems()
    _check_limits(limits, problems)
    _check_dtype(recipe, problems)
    with problems.caught():
        device = open_device(limits.device)
    if output is not None:
        with problems.caught():
            check_output(output, recipe.inputs)
    inputs = Inputs(problems, recipe.inputs)
    outliner = Outliner(recipe, inputs, problems)
    entries = outliner.outline(recipe.merge)
    problems.stop()
    threads = limits.threads or _count_cores()
    sizer = Sizer(outliner.rules.rules, limits.memory // threads, limits.memory, device.slots)
    steps = _make_steps(entries, recipe.dtype, sizer, problems)
    problems.stop()
    rules, opened = tuple(outliner.rules.rules), tuple(inputs.opened)
    metadata = describe_metadata(recipe, rules, opened)
    shards = lay_out([step.parameter for step in steps], metadata, limits.shard_size)
    layers = find_stack(entries).count if recipe.merge.slices else None
    readings, namings = tuple(inputs.readings), tuple(outliner.namings.values())
    return Plan(recipe, rules, opened, readings, namings, steps, shards, layers, threads, limits.memory, limits.device)


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


def _make_steps(entries: Mapping[str, Entry], dtype: str | None, sizer: Sizer, problems: Problems) -> tuple[Step, ...]:
    steps: list[Step] = []
    digested: set[tuple[int, str]] = set()
    for name, entry in entries.items():
        with problems.caught():
            written = FLOAT_NAMES[dtype] if dtype and entry.dtype in FLOATS else entry.dtype
            parameter = Parameter(name, written, entry.shape)
            size = sizer.size(entry.term, parameter)
            fresh = frozenset(leaves(entry.term)) - digested
            digested |= fresh
            steps.append(Step(parameter, entry.term, entry.copied, size.block, size.held, size.memory, fresh))
    return tuple(steps)


def _count_cores() -> int:
    # What the process may use is less than what the machine has in containers and batch jobs.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_limits(limits: Limits, problems: Problems) -> None:
    for name, value, least in (
        ("memory", limits.memory, 1 << 20),
        ("threads", limits.threads, 0),
        ("shard size", limits.shard_size, 1),
    ):
        if value < least:
            problems.add(SettingsError(f"expected {name} of at least {least}, came {value!r}"))


def _check_dtype(recipe: Recipe, problems: Problems) -> None:
    if recipe.dtype is not None and recipe.dtype not in FLOAT_NAMES:
        listed = ", ".join(FLOAT_NAMES)
        problems.add(
            RecipeError(
                f"expected a dtype out of {listed}, came {recipe.dtype!r}{suggestion(recipe.dtype, FLOAT_NAMES)}"
            )
        )
