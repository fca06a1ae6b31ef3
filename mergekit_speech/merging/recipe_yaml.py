"""Recipes in YAML, with every fault at once and its line."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.documents.faults import explain, located
from mergekit_speech.merging.documents.recipes import build_recipe
from mergekit_speech.merging.documents.schema import Document, known_keys
from mergekit_speech.merging.documents.yaml_text import read_yaml
from mergekit_speech.merging.recipe import Recipe

MOST_MERGES = 64
NOT_FOR_SPEECH = dict.fromkeys(
    ("tokenizer", "tokenizer_source", "chat_template"),
    "means nothing for speech encoders, which have no tokenizer to merge; remove it",
)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe and check all that can be checked without reading a checkpoint.

    Args:
        path: The YAML file, of one merge or of several between lines of `---`; relative paths in it are relative to the
            working directory, as in mergekit.

    Raises:
        RecipeError: The file cannot be read, or has faults; the message lists all of them with their lines.
    """
    text = read_yaml(path)
    if not 0 < len(text.documents) <= MOST_MERGES:
        raise RecipeError(f"{path}: expected 1 to {MOST_MERGES} merges, came {len(text.documents)}")
    faults, documents = list(text.faults), []
    for number, content in enumerate(text.documents):
        try:
            documents.append(Document.model_validate(content))
        except ValidationError as error:
            faults += explain(error, known_keys, (number,), "merge_method, models", NOT_FOR_SPEECH)
    recipe = None if faults else build_recipe(documents, faults)
    if recipe is None or faults:
        raise located(path, faults, text)
    return recipe
