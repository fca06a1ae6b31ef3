"""Runs a plan: reads, computes and writes blocks on several threads, and leaves the whole output or none."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from blake3 import blake3

from mergekit_speech.api import NOTHING, Scope, Sums
from mergekit_speech.errors import CheckpointError, StrategyError
from mergekit_speech.merging.apply import Rule, add_sums, all_finite
from mergekit_speech.merging.leavings import copy_companions, write_documents
from mergekit_speech.merging.plan import Plan, Step, check_output
from mergekit_speech.merging.provenance import describe_metadata
from mergekit_speech.merging.streams import BlockReader, to_bytes
from mergekit_speech.shards.digest import combine_digests, digest_parameter
from mergekit_speech.shards.dtypes import FLOATS, SIZES, numpy_dtype
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.shards.reader import Weights
from mergekit_speech.shards.writer import ShardWriter

T = TypeVar("T")
Digests = Mapping[int, bytes]
Progress = Callable[[int, int], None]
AHEAD = 4


@dataclass(frozen=True)
class MergeReport:
    """What a merge did.

    Attributes:
        output: The merged checkpoint.
        strategy: Registry name of the strategy.
        merged: Number of parameters that were merged.
        copied: Number of parameters that were copied from the base.
        digests: Digest of the weights of each input, the base first, as `weights_digest` gives it.
        bytes_read: Bytes of weights that were read.
        bytes_written: Bytes of weights that were written.
        seconds: Wall time.
    """

    output: Path
    strategy: str
    merged: int
    copied: int
    digests: tuple[str, ...]
    bytes_read: int
    bytes_written: int
    seconds: float


def run_plan(plan: Plan, output: Path, *, overwrite: bool = False, progress: Progress | None = None) -> MergeReport:
    """Do what a plan says.

    Args:
        plan: What to do.
        output: Folder to make.
        overwrite: Replace the folder if it exists.
        progress: Called after every parameter with the number of steps done and of all steps.

    Raises:
        OutputError: The output exists, lies in an input, or the disk is full.
        ShardError: An input is cut short, or holds NaN or infinity.
        StrategyError: The strategy failed, or gave NaN or infinity.
        CheckpointError: The base is not the one that the recipe expects.
        SettingsError: A merged value does not fit the dtype.
    """
    began = time.perf_counter()
    check_free(output, overwrite=overwrite)
    check_output(output, plan.recipe.inputs)
    with whole_folder(output, overwrite=overwrite) as partial:
        digests = _write_weights(plan, partial, progress)
        copy_companions(plan.recipe, partial)
        write_documents(plan, digests, partial)
    copied = sum(bool(step.copied) for step in plan.steps)
    return MergeReport(
        output=output,
        strategy=plan.recipe.strategy,
        merged=len(plan.steps) - copied,
        copied=copied,
        digests=digests,
        bytes_read=plan.bytes_read,
        bytes_written=plan.bytes_written,
        seconds=time.perf_counter() - began,
    )


def _write_weights(plan: Plan, folder: Path, progress: Progress | None) -> tuple[str, ...]:
    with ExitStack() as stack:
        weights = [stack.enter_context(Weights(checkpoint)) for checkpoint in plan.inputs]
        writer = stack.enter_context(ShardWriter(folder, plan.shards))
        stack.enter_context(_quiet_threads(plan))
        digests = _Crew(plan, weights, writer).work(progress)
        expected = plan.recipe.base_digest
        if expected is not None and digests[0] != expected:
            raise CheckpointError(
                f"expected the base that the run was tuned from, with digest {expected}, came {plan.recipe.base} "
                f"with {digests[0]}; find that base, or name this one with --base"
            )
        writer.finish(describe_metadata(plan.recipe, plan.args, digests))
    return digests


class _Crew:
    """The threads that do the steps of one plan."""

    def __init__(self, plan: Plan, weights: list[Weights], writer: ShardWriter) -> None:
        self._plan = plan
        self._weights = weights
        self._writer = writer
        self._reader = BlockReader(plan, weights)
        self._rule = Rule(plan.recipe.strategy, plan.strategy, plan.args)
        self._scope = plan.strategy.scope_for(plan.args)
        self._passes = plan.strategy.passes_for(plan.args)
        self._gate = _Gate(plan.memory)
        self._stopped = threading.Event()

    def work(self, progress: Progress | None) -> tuple[str, ...]:
        """Do all steps, and give the digest of each input."""
        merged = [step for step in self._plan.steps if not step.copied]
        with ThreadPoolExecutor(self._plan.threads) as pool, self._stopping(pool):
            found = NOTHING
            for _ in range(self._passes if self._scope is Scope.MODEL else 0):
                sums: Sums = {}
                for each in self._in_order(pool, merged, self._measuring(found)):
                    sums = add_sums(sums, each)
                found = self._rule.settle(sums, found)
            done: dict[str, Digests] = {}
            steps = self._plan.steps
            for step, digests in zip(steps, self._in_order(pool, steps, self._doing(found)), strict=True):
                done[step.parameter.name] = digests
                if progress is not None:
                    progress(len(done), len(steps))
        return tuple(self._combine(index, done) for index in range(len(self._weights)))

    def _in_order(
        self, pool: ThreadPoolExecutor, steps: tuple[Step, ...] | list[Step], work: Callable[[Step], T]
    ) -> Iterator[T]:
        # Results wait for their turn; without a bound, all sums of a model could wait behind one slow parameter.
        waiting: deque[Future[T]] = deque()
        for step in steps:
            waiting.append(pool.submit(work, step))
            if len(waiting) >= AHEAD * self._plan.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    @contextmanager
    def _stopping(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    def _measuring(self, found: Mapping[str, Any]) -> Callable[[Step], Sums]:
        return lambda step: self._measure(step, found)

    def _doing(self, found: Mapping[str, Any]) -> Callable[[Step], Digests]:
        return lambda step: self._do(step, found)

    def _measure(self, step: Step, found: Mapping[str, Any]) -> Sums:
        # numpy's warnings are per thread; what they warn of is checked on the values.
        with self._gate.hold(step.memory), np.errstate(all="ignore"):
            return self._rule.measure(self._unless_stopped(self._reader.blocks(step, {})), found)

    def _do(self, step: Step, found: Mapping[str, Any]) -> Digests:
        hashers = {index: blake3() for index in step.sources}
        if self._scope is Scope.TENSOR and not step.copied:
            for _ in range(self._passes):
                found = self._rule.settle(self._measure(step, found), found)
        with self._gate.hold(step.memory), np.errstate(all="ignore"):
            if step.copied:
                self._copy(step, hashers)
            else:
                self._merge(step, found, hashers)
        return {index: hasher.digest() for index, hasher in hashers.items()}

    def _merge(self, step: Step, found: Mapping[str, Any], hashers: Mapping[int, blake3]) -> None:
        name = step.parameter.name
        for block in self._unless_stopped(self._reader.blocks(step, hashers)):
            merged = self._rule.merge(block, found)
            if not all_finite(merged):
                raise StrategyError(
                    f"strategy {self._rule.name!r} gave NaN or infinity in parameter {name!r} from finite values; "
                    "check its settings"
                )
            self._writer.write(name, to_bytes(merged, step.dtype, name).data, block.start * SIZES[step.dtype])

    def _copy(self, step: Step, hashers: Mapping[int, blake3]) -> None:
        parameter = step.parameter
        for start, pieces in self._unless_stopped(self._reader.pieces(step, hashers)):
            data = pieces[0]
            if parameter.dtype in FLOATS:
                values = data.view(numpy_dtype(parameter.dtype))
                self._reader.check_finite(values, 0, parameter, start)
                data = to_bytes(values, step.dtype, parameter.name)
            self._writer.write(parameter.name, data.data, start * SIZES[step.dtype])

    def _unless_stopped(self, items: Iterator[T]) -> Iterator[T]:
        for item in items:
            if self._stopped.is_set():
                return
            yield item

    def _combine(self, index: int, done: Mapping[str, Digests]) -> str:
        weights = self._weights[index]
        parameters = weights.checkpoint.parameters
        # What only a tuned encoder holds was kept out by the recipe; it still belongs to what that encoder is.
        digests = {
            name: done[name][index] if name in done else digest_parameter(weights, parameter)
            for name, parameter in parameters.items()
        }
        return combine_digests(parameters, digests)


@contextmanager
def _quiet_threads(plan: Plan) -> Iterator[None]:
    if plan.strategy.arrays != "torch":
        yield
        return
    import torch

    # The order in which torch's own threads add up would show in the last bits of a reduction.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Gate:
    """Lets threads in as long as the bytes that they hold stay within a limit; one is always let in."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + size <= self._capacity)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()
