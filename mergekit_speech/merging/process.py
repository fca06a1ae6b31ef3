"""Everything that a plan computes, handed block by block to whoever writes or compares it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Protocol

from mergekit_speech.api import NOTHING, Array, Scope, Sums
from mergekit_speech.merging.allocation import keep_freed_blocks
from mergekit_speech.merging.apply import add_sums
from mergekit_speech.merging.computation import Computation, Found, Result
from mergekit_speech.merging.crew import Crew
from mergekit_speech.merging.device import open_device
from mergekit_speech.merging.formats import to_bytes
from mergekit_speech.merging.inputs import open_weights
from mergekit_speech.merging.plan import Plan, Step
from mergekit_speech.merging.streams import Key, Room, StepReader, Warn
from mergekit_speech.merging.terms import Mix
from mergekit_speech.shards.digest import digest_parameter
from mergekit_speech.shards.dtypes import FLOATS, SIZES
from mergekit_speech.shards.reader import Weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Digests = dict[Key, bytes]


class Sink(Protocol):
    """Where the bytes of the result go, from any thread."""

    def write(self, name: str, data: memoryview, start: int = 0) -> None:
        """Take bytes of a parameter, of which `start` is the first."""

    def write_masks(self, name: str, start: int, masks: Sequence[Array], found: Found) -> None:
        """Take masks of a parameter, of which element `start` is the first, and what the strategy has found."""


@dataclass(frozen=True)
class Process:
    """One run of a plan.

    Attributes:
        plan: What to do.
        sink: Where results go.
        digest: Whether to digest the inputs.
        warn: What to do about NaN and infinity; None to refuse them.
    """

    plan: Plan
    sink: Sink
    digest: bool = True
    warn: Warn | None = None

    def run(self, done: Mapping[str, Mapping[Key, bytes]], finish: Callable[[Step, Digests], None]) -> Digests:
        """Do all steps that are not done yet.

        Args:
            done: Digests that the steps done before have left, by the parameter.
            finish: Called after each step, in their order.

        Returns:
            Digests of all parameters of all inputs.
        """
        keep_freed_blocks()
        with ExitStack() as stack:
            weights = [stack.enter_context(open_weights(checkpoint)) for checkpoint in self.plan.inputs]
            stack.enter_context(_one_thread_each(self.plan))
            crew = stack.enter_context(Crew(self.plan.threads, self.plan.memory))
            work = _Work(self, weights, crew)
            digests = {key: value for each in done.values() for key, value in each.items()}
            settled = work.settle([step for step in self.plan.steps if step.parameter.name not in done])
            left = [step for step in self.plan.steps if step.parameter.name not in done]
            for step, fresh in zip(left, crew.in_order(left, lambda each: work.do(each, settled)), strict=True):
                digests |= fresh
                finish(step, fresh)
            if self.digest:
                digests |= work.digest_unread()
        return digests


class _Work:
    """What the threads of a process do."""

    def __init__(self, process: Process, weights: Sequence[Weights], crew: Crew) -> None:
        self._process = process
        self._plan = process.plan
        self._weights = weights
        self._crew = crew
        self._device = open_device(process.plan.device)
        self._room = Room(process.plan.memory // process.plan.threads, self._device.buffer)

    def settle(self, left: Sequence[Step]) -> dict[int, Found]:
        """Find what rules over all parameters need, the inner merges' first."""
        settled: dict[int, Found] = {}
        for number, rule in enumerate(self._plan.rules):
            if rule.scope is not Scope.MODEL or not any(_uses(step, number) for step in left):
                continue
            steps = [step for step in self._plan.steps if any(mix.rule == number for mix in step.measured)]
            found: Found = NOTHING
            for _ in range(rule.passes):
                sums = self._measure(steps, number, found, settled)
                with self._device.working():
                    found = rule.settle(sums, found)
            settled[number] = found
        return settled

    def do(self, step: Step, settled: Mapping[int, Found]) -> Digests:
        """Do one step, and give the digests of what it has read."""
        with self._device.working():
            reader = self._reader(step, digest=self._process.digest)
            for result in self._results(step, reader, settled):
                self._crew.check()
                data = _written(result, step)
                self._process.sink.write(step.parameter.name, data.data, result.start * SIZES[step.parameter.dtype])
        return reader.digests

    def digest_unread(self) -> Digests:
        """Digest what inputs hold and no step reads."""
        return {leaf.key: digest_parameter(self._weights[leaf.source], leaf.parameter) for leaf in self._plan.unread}

    def _results(self, step: Step, reader: StepReader, settled: Mapping[int, Found]) -> Iterator[Result]:
        computation = self._computation(step, reader, settled)
        for result in computation.results():
            if result.masks and isinstance(step.term, Mix):
                found = computation.found_of(step.term)
                self._process.sink.write_masks(step.parameter.name, result.start, result.masks, found)
            yield result

    def _measure(self, steps: Sequence[Step], number: int, found: Found, settled: Mapping[int, Found]) -> Sums:
        def measure(step: Step) -> list[Sums]:
            with self._device.working():
                reader = self._reader(step, digest=False)
                return self._computation(step, reader, settled).measure(number, found)

        total: Sums = {}
        for sums in self._crew.in_order(steps, measure):
            with self._device.working():
                total = reduce(add_sums, sums, total)
        return total

    def _reader(self, step: Step, *, digest: bool) -> StepReader:
        return StepReader(step, self._weights, self._room, self._process.warn, slots=self._device.slots, digest=digest)

    def _computation(self, step: Step, reader: StepReader, settled: Mapping[int, Found]) -> Computation:
        return Computation(self._plan, step, reader, self._device, settled, tolerant=self._process.warn is not None)


def _uses(step: Step, number: int) -> bool:
    return any(mix.rule == number for mix in step.mixes)


def _written(result: Result, step: Step) -> npt.NDArray[np.uint8]:
    values, dtype = result.values, step.parameter.dtype
    if dtype not in FLOATS:
        raw: npt.NDArray[np.uint8] = values
        return raw
    return to_bytes(values, dtype, step.parameter.name)


@contextmanager
def _one_thread_each(plan: Plan) -> Iterator[None]:
    """Let libraries compute on the engine's threads alone: how their own share the work shows in the last bits."""
    with ExitStack() as stack:
        if any(rule.scope is not Scope.ELEMENT for rule in plan.rules):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(1))
        if any(rule.strategy.arrays == "torch" for rule in plan.rules):
            import torch

            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        yield
