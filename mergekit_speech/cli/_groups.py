"""Options that go together, given to a command at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., object])


def option_group(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """What gives a command these options, which its help lists in their order."""

    def give(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return give
