"""Proves the facts that a strategy states about itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mergekit_speech.api import NOTHING, Args, Array, Block, Scope, Strategy, Sums, namespace
from mergekit_speech.merging.apply import Rule, add_sums, all_finite
from mergekit_speech.testing.blocks import Source, Statistic, copy, cut_up, draw_uniform, inputs_of, join, same
from mergekit_speech.testing.settings import check_param, resolve, settings_to_try

CUTS = (10, 23)


def check_strategy(strategy: Strategy, *, seed: int = 0, statistic: Statistic | None = None) -> None:
    """Prove the facts that a strategy states about itself, on random values.

    Checked: the settings' own declarations; float32 in, float32 of the same shape out, at every end of every setting's
    range, with every number of encoders up to three, and with and without a base where it is optional; inputs are not
    written to and not given back; two calls give the same bits; the scope, by cutting blocks; masks, one of bools for
    each encoder, and a number with each; `arrays="any"` on numpy and on torch.

    Args:
        strategy: What to check.
        seed: Of the values.
        statistic: Draws what stands in `Needs.auxiliary`, or gives None; without it that is numbers between 0 and 1 in
            the parameter's shape.

    Raises:
        AssertionError: A fact does not hold; the message says which, and for which settings.
    """
    for name, param in strategy.params.items():
        check_param(name, param)
    _check_passes(strategy)
    source = Source(strategy, seed, statistic or draw_uniform)
    for encoders in _encoder_counts(strategy):
        for has_base in {"required": (True,), "optional": (True, False), "unused": (False,)}[strategy.needs.base]:
            for values in settings_to_try(strategy):
                _check_trials(source, resolve(strategy, values, encoders, has_base), encoders, has_base)


@dataclass(frozen=True)
class _Trial:
    """A strategy with settings and one block for each parameter of a little model."""

    strategy: Strategy
    args: Args
    kind: str
    blocks: tuple[Block, ...]

    @property
    def rule(self) -> Rule:
        return Rule("checked", self.strategy, self.args)

    def found(self, blocks: Sequence[Sequence[Block]]) -> Mapping[str, Any]:
        found = NOTHING
        for _ in range(self.strategy.passes_for(self.args)):
            sums: Sums = {}
            for pieces in blocks:
                sums = add_sums(sums, self.rule.measure(pieces, found))
            found = self.rule.settle(sums, found)
        return found

    def pieces(self, cut: int | None) -> list[tuple[Block, list[Block], Mapping[str, Any]]]:
        """Give every parameter, its pieces and what is found; `cut` is the size of a piece, None for no cuts."""
        pieces = [list(cut_up(block, cut)) if cut else [block] for block in self.blocks]
        over_all = self.strategy.scope_for(self.args) is Scope.MODEL
        common = self.found(pieces) if over_all else NOTHING
        found = [common if over_all else self.found([parts]) for parts in pieces]
        return list(zip(self.blocks, pieces, found, strict=True))

    def merge_all(self, cut: int | None = None) -> list[Array]:
        return [
            join([self.rule.merge(part, found) for part in parts], block.shape)
            for block, parts, found in self.pieces(cut)
        ]

    def mask_all(self, cut: int | None = None) -> list[Array]:
        """Give the masks of every parameter, encoder by encoder."""
        masks = []
        for block, parts, found in self.pieces(cut):
            pieces = [self.strategy.masks(part, self.args, found) for part in parts] if self.strategy.masks else []
            if any(len(each) != len(block.tuned) for each in (*pieces, found.get("rescale", ()))):
                raise self.fail(
                    f"expected a mask and a rescale for each of {len(block.tuned)} encoders, came more or less"
                )
            masks += [join(encoder, block.shape) for encoder in zip(*pieces, strict=True)]
        return masks

    def fail(self, text: str) -> AssertionError:
        base = "no base" if self.blocks[0].base is None else "a base"
        return AssertionError(f"{text} ({self.kind} arrays, {base}, settings {dict(self.args.values)})")


def _check_trials(source: Source, args: Args, encoders: int, has_base: bool) -> None:
    kinds = ("numpy", "torch") if source.strategy.arrays == "any" else ("torch",)
    trials = [_Trial(source.strategy, args, kind, source.blocks(encoders, kind, has_base=has_base)) for kind in kinds]
    for trial in trials:
        _check_values(trial)
        if source.strategy.masks:
            _check_masks(trial)
    if len(trials) > 1:
        _check_kinds_agree(*trials)


def _check_values(trial: _Trial) -> None:
    before = [copy(block) for block in trial.blocks]
    merged = trial.merge_all()
    for block, old, new in zip(trial.blocks, before, merged, strict=True):
        if not same(inputs_of(block), inputs_of(old)):
            raise trial.fail(f"expected the inputs as they were, came other values after merging shape {block.shape}")
        if not all_finite(new):
            raise trial.fail(f"expected finite values from finite values, came NaN or infinity for {block.shape}")
    if not same(merged, trial.merge_all()):
        raise trial.fail("expected the same bits twice, came different ones: draw from (seed, name, flat index) only")
    _check_new(trial)
    _check_cuts(trial, merged)


def _check_new(trial: _Trial) -> None:
    block = trial.blocks[0]
    found = trial.found([[block]])
    merged = trial.strategy.merge(block, trial.args, found)
    before = copy(block)
    merged += 1
    if not same(inputs_of(block), inputs_of(before)):
        raise trial.fail("expected a new array, came one that shares memory with an input")


def _check_cuts(trial: _Trial, whole: list[Array]) -> None:
    for cut in _cuts(trial):
        if not same(whole, trial.merge_all(cut)):
            raise trial.fail(f"expected the same bits from pieces of {cut} elements, came others: the scope is wider")


def _check_masks(trial: _Trial) -> None:
    masks = trial.mask_all()
    for mask in masks:
        if mask.dtype != namespace(mask).bool:
            raise trial.fail(f"expected masks of bools, came {mask.dtype}")
    if not same(masks, trial.mask_all()):
        raise trial.fail("expected the same masks twice, came different ones")
    for cut in _cuts(trial):
        if not same(masks, trial.mask_all(cut)):
            raise trial.fail(f"expected the same masks from pieces of {cut} elements, came others")


def _cuts(trial: _Trial) -> tuple[int, ...]:
    once = trial.kind == "numpy" or trial.strategy.arrays == "torch"
    return CUTS if once and trial.strategy.cuts_for(trial.args) else ()


def _check_kinds_agree(numpy_trial: _Trial, torch_trial: _Trial) -> None:
    import numpy as np

    for ours, theirs in zip(numpy_trial.merge_all(), torch_trial.merge_all(), strict=True):
        if not np.allclose(ours, theirs.numpy(), rtol=1e-6, atol=1e-7):
            raise torch_trial.fail("expected equal values from numpy arrays and from tensors, came different ones")


def _check_passes(strategy: Strategy) -> None:
    complete = strategy.measure is not None and strategy.settle is not None and strategy.passes > 0
    if not complete and (strategy.measure or strategy.settle or strategy.passes or strategy.scope is Scope.MODEL):
        raise AssertionError(
            "expected measure, settle and passes together, and always for scope MODEL, "
            f"came measure {strategy.measure}, settle {strategy.settle}, passes {strategy.passes}"
        )


def _encoder_counts(strategy: Strategy) -> range:
    needs = strategy.needs
    return range(needs.least, min(needs.most or math.inf, max(3, needs.least)).__int__() + 1)
