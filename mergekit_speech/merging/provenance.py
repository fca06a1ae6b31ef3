"""What a merged checkpoint says about where it comes from: the metadata in its header."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from mergekit_speech import __version__
from mergekit_speech.hub.names import cached_id, short_name
from mergekit_speech.merging.apply import Rule
from mergekit_speech.merging.describe import describe_recipe
from mergekit_speech.merging.recipe import Recipe
from mergekit_speech.shards.reader import Checkpoint

UNKNOWN_DIGEST = f"blake3:{'0' * 64}"
"""As long as a real digest: it keeps the place in a header until the inputs have been read."""
METADATA_KEY = "mergekit_speech"
CARD_FILE = "README.md"


def describe_metadata(
    recipe: Recipe, rules: Sequence[Rule], inputs: Sequence[Checkpoint], digests: Sequence[str] | None = None
) -> dict[str, str]:
    """Make the free text entries of the safetensors header.

    Inputs are named by folder and digest, not by path, so that equal inputs give equal bytes wherever they lie.

    Args:
        recipe: What was merged.
        rules: The strategies with their settings as they were resolved.
        inputs: What was read.
        digests: Of the inputs; empty if there are none, None if they are yet to come.
    """
    known: Sequence[str | None] = [UNKNOWN_DIGEST] * len(inputs) if digests is None else digests or [None] * len(inputs)
    made = {
        "version": __version__,
        "recipe": describe_recipe(recipe),
        "rules": [{"strategy": rule.name, "settings": rule.args.values} for rule in rules],
        "inputs": [
            {"name": short_name(each.folder), "digest": digest, "licence": read_licence(each.folder)}
            for each, digest in zip(inputs, known, strict=True)
        ],
        "seed": recipe.seed,
    }
    # transformers loads a file only if it says which framework wrote it.
    return {"format": "pt", METADATA_KEY: json.dumps(made, sort_keys=True, ensure_ascii=False)}


def read_licence(place: Path) -> str | None:
    """Give the licence that the model card of a checkpoint states, None if it states none."""
    fetched = cached_id(place)
    # A file that was fetched by its name has the card of its repository beside it.
    card = (place.parent if fetched and fetched.file else place) / CARD_FILE
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*([\w.+-]+)[ \t]*$", front[1], re.MULTILINE) if front else None
    return found[1] if found else None
