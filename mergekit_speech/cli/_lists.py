"""Options that hold several values: lists between commas, numbers by task, values of settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from mergekit_speech.superb.settings import PerTask

N = TypeVar("N", int, float)


def read_list(text: str) -> list[str]:
    """The parts between commas that are not empty."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_number(text: str, kind: Callable[[str], N], option: str) -> N:
    """A number.

    Raises:
        click.UsageError: It is none.
    """
    try:
        return kind(text.strip())
    except ValueError as fault:
        wanted = "a whole number" if kind is int else "a number"
        raise click.UsageError(f"expected {wanted} for {option}, came {text!r}") from fault


def read_per_task(text: str | None, kind: Callable[[str], N], option: str) -> PerTask[N]:
    """One number, or numbers by task such as `pr=1e-2,sid=1e-3`.

    Raises:
        click.UsageError: Something is no number, or a task comes twice.
    """
    if text is None:
        return None
    if "=" not in text:
        return read_number(text, kind, option)
    pairs = [part.partition("=") for part in read_list(text)]
    by_task = {name.strip(): read_number(value, kind, option) for name, _, value in pairs}
    if len(by_task) < len(pairs):
        raise click.UsageError(f"expected each task once for {option}, came {text!r}")
    return by_task


def read_value(text: str) -> bool | int | float | str:
    """The value of a setting: a flag, a number, or else a word."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
