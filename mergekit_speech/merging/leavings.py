"""What lies beside the weights of a merged checkpoint: the base's configuration, the recipe and the model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from mergekit_speech.merging.plan import Plan
from mergekit_speech.merging.provenance import CARD_FILE, RECIPE_FILE, write_card, write_recipe
from mergekit_speech.merging.recipe import Recipe

COMPANIONS = ("*.json", "*.txt", "*.model", "LICENSE*", "NOTICE*")
NO_COMPANIONS = ("*.index.json", "record.json")
CONFIG_FILE = "config.json"


def copy_companions(recipe: Recipe, folder: Path) -> None:
    """Copy the base's configuration, preprocessor, vocabulary and licence files.

    Args:
        recipe: Names the base, and the dtype that the configuration must then state.
        folder: Where they go.
    """
    for path in sorted(recipe.base.iterdir()):
        if path.is_file() and _matches(path.name, COMPANIONS) and not _matches(path.name, NO_COMPANIONS):
            shutil.copyfile(path, folder / path.name)
    if recipe.dtype is not None:
        _state_dtype(folder / CONFIG_FILE, recipe.dtype)


def write_documents(plan: Plan, digests: Sequence[str], folder: Path) -> None:
    """Write the recipe and the model card.

    Args:
        plan: What was done.
        digests: Of the inputs, the base first.
        folder: Where they go.
    """
    recipe = write_recipe(plan.recipe, plan.strategy, plan.args)
    (folder / RECIPE_FILE).write_text(recipe, encoding="utf-8")
    card = write_card(plan.recipe, plan.strategy, plan.args, digests)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _state_dtype(path: Path, dtype: str) -> None:
    if not path.is_file():
        return
    config = json.loads(path.read_bytes())
    # transformers 5 writes "dtype", before it was "torch_dtype".
    stated = [key for key in ("dtype", "torch_dtype") if key in config]
    if stated:
        path.write_text(json.dumps(config | dict.fromkeys(stated, dtype), indent=2) + "\n", encoding="utf-8")
