"""What a merged checkpoint says about where it comes from: metadata, recipe and model card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mergekit_speech import __version__
from mergekit_speech.api import Args, Strategy
from mergekit_speech.merging.recipe import Recipe

UNKNOWN_DIGEST = f"blake3:{'0' * 64}"
"""As long as a real digest: it keeps the place in a header until the inputs have been read."""
METADATA_KEY = "mergekit_speech"
RECIPE_FILE = "recipe.yaml"
CARD_FILE = "README.md"


def describe_metadata(recipe: Recipe, args: Args, digests: Sequence[str]) -> dict[str, str]:
    """Make the free text entries of the safetensors header.

    Inputs are named by folder and digest, not by path, so that equal inputs give equal bytes wherever they lie.

    Args:
        recipe: What was merged.
        args: The settings as they were resolved.
        digests: Of the inputs, the base first.
    """
    inputs = [{"name": path.name, "digest": digest} for path, digest in zip(recipe.inputs, digests, strict=True)]
    made = {
        "version": __version__,
        "strategy": recipe.strategy,
        "settings": args.values,
        "base": inputs[0],
        "tuned": inputs[1:],
        "dtype": recipe.dtype,
        "keep": recipe.keep,
        "seed": recipe.seed,
    }
    # transformers loads a file only if it says which framework wrote it.
    return {"format": "pt", METADATA_KEY: json.dumps(made, sort_keys=True, ensure_ascii=False)}


def write_recipe(recipe: Recipe, strategy: Strategy, args: Args) -> str:
    """Write a recipe as YAML that merges the same again; paths are absolute."""
    import yaml

    common = {name: args.values[name] for name, param in strategy.params.items() if not param.per_encoder}
    document: dict[str, Any] = {
        "merge_method": recipe.strategy,
        "base_model": str(recipe.base.resolve()),
        "models": [_describe_encoder(recipe, strategy, args, index) for index in range(len(recipe.tuned))],
    }
    optional = {
        "parameters": common,
        "out_dtype": recipe.dtype,
        "keep": {"base": list(recipe.keep)} if recipe.keep else None,
        "extrapolate": recipe.extrapolate,
        "seed": recipe.seed,
    }
    document |= {key: value for key, value in optional.items() if value}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def write_card(recipe: Recipe, strategy: Strategy, args: Args, digests: Sequence[str]) -> str:
    """Write the model card of a merged checkpoint.

    Args:
        recipe: What was merged.
        strategy: The rule.
        args: Its settings as they were resolved.
        digests: Of the inputs, the base first.
    """
    roles = ["base", *(f"tuned {number}" for number in range(1, len(recipe.tuned) + 1))]
    rows = [
        f"| {role} | {path.name} | `{digest}` |"
        for role, path, digest in zip(roles, recipe.inputs, digests, strict=True)
    ]
    settings = [f"| {name} | {_show(value)} | {strategy.params[name].doc} |" for name, value in args.values.items()]
    lines = [
        *_front_matter(recipe),
        "# Merged speech encoder",
        "",
        f"Merged by mergekit-speech {__version__} with the strategy `{recipe.strategy}`: {strategy.summary}",
        f"Source: {strategy.source}.",
        "",
        "| setting | value | meaning |",
        "|---|---|---|",
        *settings,
        "",
        "| input | name | digest of its weights |",
        "|---|---|---|",
        *rows,
        "",
        f"Computed in float32, written as {recipe.dtype or 'the base was'}, rounded once.",
        *([f"Kept from the base: {', '.join(f'`{pattern}`' for pattern in recipe.keep)}."] if recipe.keep else []),
        f"`{RECIPE_FILE}` beside this file merges the same again: `msm merge {RECIPE_FILE} --output OUT`.",
        "",
        "```python",
        "from transformers import AutoModel",
        "",
        'encoder = AutoModel.from_pretrained("path/to/this/folder")',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _front_matter(recipe: Recipe) -> list[str]:
    licences = [licence for path in recipe.inputs if (licence := _read_licence(path))]
    same = len(licences) == len(recipe.inputs) and len(set(licences)) == 1
    # Unlike licences are for a person to reconcile.
    field = [f"license: {licences[0]}"] if same else []
    return ["---", "library_name: transformers", *field, "tags: [merge, speech, mergekit-speech]", "---", ""]


def _read_licence(folder: Path) -> str | None:
    card = folder / CARD_FILE
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*([\w.+-]+)[ \t]*$", front[1], re.MULTILINE) if front else None
    return found[1] if found else None


def _describe_encoder(recipe: Recipe, strategy: Strategy, args: Args, index: int) -> Mapping[str, Any]:
    own = {}
    for name, param in strategy.params.items():
        values = args.values[name]
        if param.per_encoder and isinstance(values, tuple):
            own[name] = values[index]
    described = {"model": str(recipe.tuned[index].path.resolve())}
    return {**described, "parameters": own} if own else described


def _show(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
