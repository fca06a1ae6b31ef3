"""`check_strategy` accepts what keeps the contract, and finds what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mergekit_speech.api import Args, Array, Block, Needs, Param, Scope, Strategy, Sums, namespace
from mergekit_speech.registry import STRATEGIES
from mergekit_speech.testing import check_strategy

Found = Mapping[str, Any]


def half_way(block: Block, _args: Args, _found: Found) -> Array:
    return (block.base + block.tuned[0]) / 2


GOOD = Strategy(merge=half_way, summary="", source="", scope=Scope.ELEMENT, arrays="any")


@pytest.mark.parametrize("name", ["linear", "task_arithmetic", "ties"])
def test_builtins_keep_the_contract(name: str) -> None:
    check_strategy(STRATEGIES.load(name))


def test_plain_torch_keeps_the_contract() -> None:
    def norm_ratio(block: Block, _args: Args, _found: Found) -> Array:
        return block.tuned[0] * (block.base.norm() / block.tuned[0].norm())

    check_strategy(Strategy(merge=norm_ratio, summary="", source="", needs=Needs(most=1)))


def write_to_input(block: Block, _args: Args, _found: Found) -> Array:
    block.base.__iadd__(block.tuned[0])
    return block.base + 0


def give_input(block: Block, _args: Args, _found: Found) -> Array:
    return block.base


def use_mean(block: Block, _args: Args, _found: Found) -> Array:
    return block.base - block.base.mean()


def give_infinity(block: Block, _args: Args, _found: Found) -> Array:
    return block.base * float("inf")


def draw_anew(block: Block, _args: Args, _found: Found) -> Array:
    draws = np.random.default_rng().standard_normal(tuple(block.base.shape)).astype(np.float32)
    return block.base + (draws if namespace(block.base) is np else namespace(block.base).from_numpy(np.asarray(draws)))


def differ_by_kind(block: Block, _args: Args, _found: Found) -> Array:
    return block.base + (1 if namespace(block.base) is np else 2)


@pytest.mark.parametrize(
    ("merge", "complaint"),
    [
        (write_to_input, "expected the inputs as they were"),
        (give_input, "expected a new array, came one that shares memory"),
        (use_mean, "the scope is wider"),
        (give_infinity, "expected finite values from finite values"),
        (draw_anew, "expected the same bits twice"),
        (differ_by_kind, "expected equal values from numpy arrays and from tensors"),
    ],
)
def test_broken_promise_is_found(merge: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_strategy(replace(GOOD, merge=merge))


@pytest.mark.parametrize(
    ("param", "complaint"),
    [
        (Param(""), "expected one line of doc for setting 'scale'"),
        (Param("A factor.", default=2, high=1), "setting 'scale' refuses its own default or end of range"),
        (Param("A word.", kind=str, default="x", choices=("a",)), "refuses its own default"),
    ],
)
def test_wrong_declaration_is_found(param: Param, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_strategy(replace(GOOD, params={"scale": param}))


def test_model_scope_without_measuring_is_found() -> None:
    with pytest.raises(AssertionError, match="expected measure, settle and passes together"):
        check_strategy(replace(GOOD, scope=Scope.MODEL))


def test_sums_that_depend_on_cuts_are_found() -> None:
    def measure(block: Block, _args: Args, _found: Found) -> Sums:
        return {"blocks": np.ones(1)}

    def settle(sums: Sums, _args: Args, _found: Found) -> Found:
        return {"blocks": float(sums["blocks"][0])}

    def merge(block: Block, _args: Args, found: Found) -> Array:
        return block.base * found["blocks"]

    measured = replace(GOOD, merge=merge, measure=measure, settle=settle, passes=1, scope=Scope.MODEL)
    check_strategy(measured)
    with pytest.raises(AssertionError, match="the scope is wider"):
        check_strategy(replace(measured, cuts=True))
