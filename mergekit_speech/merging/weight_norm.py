"""Merging the weights that weight norm makes, in place of its length and its direction.

Interpolating g and v of W = g·v/‖v‖ one by one is not the same as interpolating W. What is merged here is W; it is
written as v = W and g = ‖W‖, of which the model makes W again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mergekit_speech.api import Strategy
from mergekit_speech.errors import StrategyError
from mergekit_speech.layouts.names import WEIGHT_NORM
from mergekit_speech.merging.parts import Entry, Part
from mergekit_speech.merging.terms import Length, Mix, Term, effective

# The names of length and direction in each spelling.
SPELLINGS = tuple(zip(*WEIGHT_NORM, strict=True))


def merge_weights(found: Mapping[str, Entry], part: Part, strategy: Callable[[Mix], Strategy]) -> dict[str, Entry]:
    """Put the weights that lengths and directions make into the place of both, where both are merged.

    Args:
        found: The parameters of a result by name.
        part: What they are merged from.
        strategy: Gives the strategy of a mix.

    Raises:
        StrategyError: A strategy writes masks or uses statistics, which belong to what the files hold.
    """
    made = dict(found)
    for name, entry in found.items():
        length = _length_of(name, found)
        if length is None or not isinstance(entry.term, Mix) or not isinstance(found[length].term, Mix):
            continue
        used = strategy(entry.term)
        if used.masks is not None or used.needs.auxiliary:
            raise StrategyError(
                f"expected a strategy without masks and statistics for the effective weight of {name!r}, came one that "
                "has them; leave out --effective-weight-norm, or give that part another strategy"
            )
        base = None if entry.term.base is None or part.base is None else _weigh(part.base, length, name)
        mix = replace(entry.term, base=base, tuned=tuple(_weigh(each, length, name) for each in part.tuned))
        made[name] = replace(entry, term=mix)
        made[length] = replace(found[length], term=Length(mix, found[length].shape))
    return made


def _weigh(entries: Mapping[str, Entry], length: str, direction: str) -> Term:
    return effective(entries[length].term, entries[direction].term)


def _length_of(name: str, found: Mapping[str, Entry]) -> str | None:
    for length, direction in SPELLINGS:
        partner = f"{name.removesuffix(direction)}{length}"
        if name.endswith(f".{direction}") and partner in found and _fits(found[partner].shape, found[name].shape):
            return partner
    return None


def _fits(length: tuple[int, ...], direction: tuple[int, ...]) -> bool:
    return len(length) == len(direction) and all(
        one in (1, other) for one, other in zip(length, direction, strict=True)
    )
