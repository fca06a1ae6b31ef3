"""Groups of parameters that may have an α of their own: parts of an encoder, and thirds of its layers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mergekit_speech.errors import SettingsError
from mergekit_speech.merging.filters import MODULES
from mergekit_speech.merging.layers import Stack, find_stack
from mergekit_speech.merging.recipe import Filter
from mergekit_speech.registry import suggestion

THIRDS = ("lower", "middle", "upper")
GROUPS = (*MODULES, *THIRDS)


def check_groups(names: Iterable[str]) -> None:
    """Checks the names of groups.

    Raises:
        SettingsError: One is unknown, or comes twice.
    """
    seen: set[str] = set()
    for name in names:
        if name not in GROUPS:
            raise SettingsError(f"expected groups among {', '.join(GROUPS)}, came {name!r}{suggestion(name, GROUPS)}")
        if name in seen:
            raise SettingsError(f"expected each group once, came {name!r} twice: leave one out")
        seen.add(name)


def group_filter(name: str, parameters: Iterable[str]) -> Filter:
    """Says which parameters belong to a group.

    Args:
        name: One of `GROUPS`.
        parameters: Names of all parameters of the encoder.
    """
    if name in MODULES:
        return Filter(name, "module")
    stack = find_stack(parameters)
    return Filter(_layers(stack, THIRDS.index(name)), "regex")


def _layers(stack: Stack, third: int) -> str:
    first, end = (round(stack.count * edge / len(THIRDS)) for edge in (third, third + 1))
    numbers = "|".join(map(str, range(first, end)))
    # Encoders of less than three layers leave a third empty, which matches nothing.
    return rf"^{re.escape(stack.prefix)}({numbers})\." if numbers else "(?!)"
