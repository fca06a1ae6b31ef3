"""What lies beside the weights of a merged checkpoint: the configuration, the recipe and the model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from mergekit_speech.layouts.detect import REST_FILE
from mergekit_speech.merging.card import RECIPE_FILE, write_card
from mergekit_speech.merging.plan import Plan
from mergekit_speech.merging.provenance import CARD_FILE
from mergekit_speech.merging.recipe_write import write_recipe
from mergekit_speech.shards.files import check_inside

COMPANIONS = ("*.json", "*.txt", "*.model", "LICENSE*", "NOTICE*", REST_FILE)
NO_COMPANIONS = ("*.index.json", "record.json", "adapter_config.json")
CONFIG_FILE = "config.json"
# transformers 5 writes "dtype", before it was "torch_dtype".
DTYPE_KEYS = ("dtype", "torch_dtype")
# How families name their number of transformer layers.
LAYER_KEYS = ("num_hidden_layers", "encoder_layers")


def copy_companions(plan: Plan, folder: Path) -> None:
    """Copy the configuration, preprocessor, vocabulary, licences of the first input, and what `msm convert` kept.

    Args:
        plan: Names the inputs, and what the configuration must then state.
        folder: Where they go. Of an input in the layout of another program, they are written anew.
    """
    reading = plan.readings[0]
    if reading is not None and reading.meaning is not None:
        from mergekit_speech.layouts.write import write_beside

        files = {name: text for name, text in reading.meaning.files.items() if _goes_along(name)}
        write_beside(reading.encoder, replace(reading.meaning, files=files), folder)
    else:
        copy_beside_weights(plan.inputs[0].folder, folder)
    changes: dict[str, object] = (
        {} if plan.recipe.dtype is None else {"dtype": plan.recipe.dtype, "torch_dtype": plan.recipe.dtype}
    )
    if plan.layers is not None:
        changes |= dict.fromkeys(LAYER_KEYS, plan.layers)
    if changes and (folder / CONFIG_FILE).is_file():
        _state(folder / CONFIG_FILE, changes)


def copy_beside_weights(checkpoint: Path, folder: Path) -> None:
    """Copy what lies beside a checkpoint's weights and belongs to them; nothing, if it is a single file.

    Args:
        checkpoint: The checkpoint.
        folder: Where the files go.

    Raises:
        ShardError: A file is a link that leads out of the checkpoint.
    """
    for path in sorted(checkpoint.iterdir()) if checkpoint.is_dir() else []:
        if path.is_file() and _goes_along(path.name):
            check_inside(path, checkpoint)
            shutil.copyfile(path, folder / path.name)


def write_documents(plan: Plan, digests: Sequence[str], folder: Path) -> None:
    """Write the recipe and the model card.

    Args:
        plan: What was done.
        digests: Of the inputs; empty if there are none.
        folder: Where they go.
    """
    (folder / RECIPE_FILE).write_text(write_recipe(plan.recipe), encoding="utf-8")
    (folder / CARD_FILE).write_text(write_card(plan, digests), encoding="utf-8")


def _goes_along(name: str) -> bool:
    return _matches(name, COMPANIONS) and not _matches(name, NO_COMPANIONS)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _state(path: Path, changes: Mapping[str, object]) -> None:
    config = json.loads(path.read_bytes())
    # Only what the configuration states already.
    stated = {key: value for key, value in changes.items() if key in config}
    if stated:
        path.write_text(json.dumps(config | stated, indent=2) + "\n", encoding="utf-8")
