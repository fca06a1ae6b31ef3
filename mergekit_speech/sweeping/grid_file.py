"""Grids in YAML, for what does not fit into options: several grids at once, and settings with lists as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.documents.yaml_text import read_yaml
from mergekit_speech.registry import suggestion
from mergekit_speech.sweeping.alphas import read_alphas
from mergekit_speech.sweeping.grid import Grid

DEFAULT_ALPHAS = "0:1:0.25"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    alphas: list[float | int] | str = DEFAULT_ALPHAS
    strategies: list[str] = Field(default=["linear"], min_length=1)
    settings: dict[str, list[Any]] = {}
    groups: list[str] = []


def read_grids(path: Path) -> list[Grid]:
    """Reads a file that lists grids, each with `alphas`, `strategies`, `settings` and `groups`, all of them optional.

    Raises:
        RecipeError: The file cannot be read, or is something else; the message says which grid and why.
        SettingsError: Alphas make no sense.
    """
    text = read_yaml(path)
    if text.faults:
        first = text.faults[0]
        raise RecipeError(f"{path}: line {text.lines.get(first.place, 1)}: {first.text}")
    content = text.documents[0] if len(text.documents) == 1 else text.documents
    if not isinstance(content, list) or not content:
        raise RecipeError(f"{path}: expected a list of grids, came {content!r:.60}: begin each with a dash")
    return [_read(path, number, entry) for number, entry in enumerate(content, start=1)]


def _read(path: Path, number: int, entry: object) -> Grid:
    try:
        read = _Entry.model_validate(entry)
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        known = list(_Entry.model_fields)
        if first["type"] == "extra_forbidden":
            why = f"expected keys among {', '.join(known)}, came {key!r}{suggestion(key, known)}"
        else:
            why = f"{key or 'all of it'}: {first['msg'].lower()}, came {first['input']!r:.60}"
        raise RecipeError(f"{path}: grid {number}: {why}") from fault
    text = read.alphas if isinstance(read.alphas, str) else ",".join(map(str, read.alphas))
    return Grid(read_alphas(text), tuple(read.strategies), read.settings, tuple(read.groups))
