"""What is wrong with a YAML file, in plain words, with the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.arguments import Fault, Place
from mergekit_speech.merging.documents.yaml_text import YamlText
from mergekit_speech.registry import suggestion

KnownKeys = Callable[[tuple[Any, ...]], Sequence[str]]
"""Gives the keys that are known at a place, as pydantic's errors name places."""


def explain(
    error: ValidationError, known_keys: KnownKeys, place: Place, like: str, remarks: Mapping[str, str] | None = None
) -> Iterator[Fault]:
    """Say what pydantic found.

    Args:
        error: What it raised.
        known_keys: What could have been meant by an unknown key.
        place: Where the value stands that it checked.
        like: The first keys of what was expected, for a value that is no mapping at all.
        remarks: What to say of some unknown keys at the top.
    """
    for each in error.errors(include_url=False):
        # Marks of what pydantic took a value for are no keys.
        inner = tuple(key for key in each["loc"] if not str(key).startswith("\0"))
        key = str(inner[-1]) if inner else ""
        if each["type"] == "extra_forbidden" and len(each["loc"]) == 1 and key in (remarks or {}):
            text = f"{key!r} {(remarks or {})[key]}"
        elif not inner and each["type"] == "model_type":
            text = f"expected {like} and so on, came {each['input']!r:.80}"
        else:
            text = _explain(each["type"], known_keys(each["loc"]), key, each["msg"], each["input"])
        yield Fault((*place, *inner), text)


def _explain(kind: str, known: Sequence[str], key: str, message: str, value: object) -> str:
    match kind:
        case "missing":
            return f"expected {key}, which is missing"
        case "extra_forbidden":
            return f"unknown key {key!r:.80}{suggestion(key, known)}; expected one of {', '.join(known)}"
        case "value_error":
            return message.removeprefix("Value error, ")
        case "value":
            return f"{key}: {message}, came {value!r:.80}"
        case "model_type":
            return f"{key}: expected a mapping, came {value!r:.80}"
        case _:
            return f"{key}: {message[0].lower()}{message[1:]}, came {value!r:.80}"


def located(path: Path, faults: Sequence[Fault], text: YamlText) -> RecipeError:
    """Make one error of all faults of a file, in the order of their lines."""
    lines = sorted(((_line(fault.place, text.lines), fault.text) for fault in faults), key=itemgetter(0))
    return RecipeError(f"{path}: {'; '.join(f'line {line}: {fault}' for line, fault in lines)}")


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place, 1)
