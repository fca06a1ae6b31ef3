"""Recipes for tests: of one merge, and changed in a field of the recipe or of its merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from mergekit_speech.merging.recipe import Filter, Keep, Merge, Recipe, Tuned

# From mergekit's examples, with the names of HuBERT's modules.
TIES_WITH_GRADIENTS = """\
models:
  - model: one
    parameters:
      density: [1, 0.7, 0.1] # density gradient
      weight: 1.0
  - model: two
    parameters:
      density: 0.33
      weight:
        - filter: feed_forward
          value: 0.5
        - value: 0
merge_method: ties
base_model: base
parameters:
  normalize: true
  int8_mask: true
dtype: float32
"""


def make_recipe(base: Path | None, *tuned: Path, **changes: Any) -> Recipe:
    """Make a recipe of one merge; `changes` are fields of the recipe or of its merge."""
    return changed(Recipe(Merge(base, tuple(Tuned(each) for each in tuned))), **changes)


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    """Change fields of a recipe or of its merge."""
    names = {field.name for field in fields(Merge)}
    inner = {name: value for name, value in changes.items() if name in names}
    outer = {name: value for name, value in changes.items() if name not in names}
    return replace(recipe, merge=replace(recipe.merge, **inner), **outer)


def kept(patterns: Sequence[str]) -> tuple[Keep, ...]:
    """Keep what globs match from the base."""
    return tuple(Keep(Filter(pattern, "glob")) for pattern in patterns)
