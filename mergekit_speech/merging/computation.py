"""Working out one parameter: its inputs are read, rules measure and merge them, inner merges before outer ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mergekit_speech.api import NOTHING, Array, Block, Scope, Sums
from mergekit_speech.errors import StrategyError
from mergekit_speech.merging.apply import all_finite
from mergekit_speech.merging.device import Device, Wait
from mergekit_speech.merging.plan import Plan, Step
from mergekit_speech.merging.streams import StepReader
from mergekit_speech.merging.terms import Leaf, Length, Mix, Term, has_weight_norm, mixes
from mergekit_speech.ops.weight_norm import weight_lengths, weight_norm

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """A block of a merged parameter.

    Attributes:
        start: Index of its first element.
        values: The merged values; raw bytes of a parameter that is not merged.
        masks: One for each tuned encoder, from strategies that give them.
    """

    start: int
    values: Array
    masks: tuple[Array, ...] = ()


class Computation:
    """One step of a plan at work.

    Args:
        plan: The plan.
        step: The step.
        reader: Reads what the step is made of.
        device: Where to compute.
        settled: What rules over all parameters have found, by number.
        tolerant: Whether NaN and infinity may come out.
    """

    def __init__(
        self,
        plan: Plan,
        step: Step,
        reader: StepReader,
        device: Device,
        settled: Mapping[int, Found],
        *,
        tolerant: bool = False,
    ) -> None:
        self._plan = plan
        self._step = step
        self._reader = reader
        self._device = device
        self._sent: deque[Wait] = deque(maxlen=device.slots)
        self._tolerant = tolerant
        self._settled = settled
        # By identity: equal settings may find other things in other parameters.
        self._found: dict[int, Found] = {}
        self._flat = all(plan.rules[mix.rule].cuts for mix in step.mixes) and not has_weight_norm(step.term)

    def measure(self, number: int, found: Found) -> list[Sums]:
        """Measure, for a rule over all parameters, its part of this one.

        Args:
            number: The rule.
            found: What the passes before have found.
        """
        sums = []
        for mix in self._step.measured:
            if mix.rule == number:
                self._settle_below(mix)
                sums.append(self._plan.rules[number].measure(self._blocks(mix), found))
        return sums

    def results(self) -> Iterator[Result]:
        """Work out the blocks of the parameter in their order; each is overwritten by the next."""
        term = self._step.term
        self._settle_below(term)
        if isinstance(term, Leaf):
            for start in self._starts():
                yield Result(start, self._reader.read(term, start, last=True))
            return
        waiting: deque[Callable[[], Result]] = deque()
        for start in self._starts():
            with self._turn():
                values: dict[object, Array] = {}
                merged = self._make(term, start, values, last=True)
                waiting.append(self._fetch(term, start, merged, self._masks(term, start, values)))
            # A device computes this block while the one before is written.
            if len(waiting) == self._device.slots:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()

    def _fetch(self, term: Term, start: int, merged: Array, masks: tuple[Array, ...]) -> Callable[[], Result]:
        arrived = self._device.fetch(merged)

        def result() -> Result:
            values = arrived()
            self._check(values, term)
            return Result(start, values, masks)

        return result

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # The buffers that come next may still be on their way to the device.
        if len(self._sent) == self._sent.maxlen:
            self._sent.popleft()()
        self._reader.turn()
        yield
        self._sent.append(self._device.sent())

    def _masks(self, term: Term, start: int, values: dict[object, Array]) -> tuple[Array, ...]:
        if not isinstance(term, Mix) or self._plan.rules[term.rule].strategy.masks is None:
            return ()
        rule, mix = self._plan.rules[term.rule], term
        return rule.masks(self._block(mix, start, values, last=True), self.found_of(mix))

    def _starts(self) -> range:
        return range(0, max(1, self._step.parameter.elements), self._step.block)

    def _settle_below(self, term: Term) -> None:
        for mix in mixes(term):
            rule = self._plan.rules[mix.rule]
            if rule.scope is not Scope.TENSOR or id(mix) in self._found:
                continue
            found: Found = NOTHING
            for _ in range(rule.passes):
                found = rule.settle(rule.measure(self._blocks(mix), found), found)
            self._found[id(mix)] = found

    def _blocks(self, mix: Mix) -> Iterator[Block]:
        for start in self._starts():
            with self._turn():
                yield self._block(mix, start, {}, last=False)

    def _block(self, mix: Mix, start: int, values: dict[object, Array], *, last: bool) -> Block:
        rule = self._plan.rules[mix.rule]

        def give(term: Term) -> Array:
            return self._device.wanted(self._value(term, start, values, last=last), rule)

        return Block(
            name=mix.name,
            shape=mix.shape,
            start=start,
            base=None if mix.base is None else give(mix.base),
            tuned=tuple(give(each) for each in mix.tuned),
            seed=self._plan.recipe.seed,
            layer=mix.layer,
            layers=mix.layers,
            auxiliary={
                kind: tuple(None if leaf is None else give(leaf) for leaf in found)
                for kind, found in mix.auxiliary.items()
            },
        )

    def _value(self, term: Term, start: int, values: dict[object, Array], *, last: bool) -> Array:
        key = term.key if isinstance(term, Leaf) else id(term)
        if key not in values:
            if isinstance(term, Leaf):
                values[key] = self._read(term, start, last=last)
            else:
                values[key] = self._make(term, start, values, last=last)
                self._check(values[key], term)
        return values[key]

    def _read(self, leaf: Leaf, start: int, *, last: bool) -> Array:
        shape = leaf.parameter.shape
        array = self._device.give(self._reader.read(leaf, start, last=last), leaf.parameter.dtype)
        return array if self._flat and shape == self._step.parameter.shape else array.reshape(shape)

    def _make(self, term: Term, start: int, values: dict[object, Array], *, last: bool) -> Array:
        if isinstance(term, Mix):
            return self._merge(term, start, values, last=last)
        made = [self._value(each, start, values, last=last) for each in (() if isinstance(term, Leaf) else term.terms)]
        if isinstance(term, Length):
            return weight_lengths(made[0], term.shape)
        direction, length = made
        return weight_norm(length, direction)

    def _merge(self, mix: Mix, start: int, values: dict[object, Array], *, last: bool) -> Array:
        rule = self._plan.rules[mix.rule]
        return rule.merge(self._block(mix, start, values, last=last), self.found_of(mix))

    def _check(self, merged: Array, term: Term) -> None:
        if not self._tolerant and not all_finite(merged):
            *_, mix = mixes(self._step.term) if not isinstance(term, Mix) else (term,)
            raise StrategyError(
                f"strategy {self._plan.rules[mix.rule].name!r} gave NaN or infinity in parameter {mix.name!r} from "
                "finite values; check its settings"
            )

    def found_of(self, mix: Mix) -> Found:
        """Give what the measuring passes of a mix have found."""
        if self._plan.rules[mix.rule].scope is Scope.MODEL:
            return self._settled[mix.rule]
        return self._found.get(id(mix), NOTHING)
