"""Which settings a strategy is tried with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mergekit_speech.api import Args, Array, Block, Param, Strategy, Value
from mergekit_speech.merging.arguments import check_arguments


def check_param(name: str, param: Param) -> None:
    """Checks that a setting takes its default and the ends of its range, and refuses what lies beyond.

    Raises:
        AssertionError: It does not.
    """
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


def _give_base(block: Block, _args: Args, _found: Mapping[str, Any]) -> Array:
    return block.base


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


def settings_to_try(strategy: Strategy) -> list[dict[str, Value]]:
    """Settings to try: defaults, middles of ranges, and each end beside either."""
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


def resolve(strategy: Strategy, values: Mapping[str, Value], encoders: int, has_base: bool) -> Args:
    """Fills in what is not given.

    Raises:
        AssertionError: The strategy refuses the settings.
    """
    given = {name: value for name, value in values.items() if has_base or not strategy.params[name].needs_base}
    args, faults = check_arguments("checked", strategy, given, [{}] * encoders, has_base=has_base)
    if faults:
        raise AssertionError(f"expected settings that the strategy takes, came {faults[0].text}")
    return args
