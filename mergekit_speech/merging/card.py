"""The model card of a merged checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech import __version__
from mergekit_speech.hub.names import cached_id, short_name
from mergekit_speech.merging.apply import Rule
from mergekit_speech.merging.listing import tell_names
from mergekit_speech.merging.masks import MASKS_FILE
from mergekit_speech.merging.plan import Plan
from mergekit_speech.merging.provenance import read_licence

RECIPE_FILE = "recipe.yaml"
MOST_RULES = 12


def write_card(plan: Plan, digests: Sequence[str], *, masks: bool = False) -> str:
    """Write the model card.

    Args:
        plan: What was done.
        digests: Of the inputs; empty if there are none.
        masks: Whether masks lie beside the weights.
    """
    lines = [
        *_front_matter(plan),
        "# Merged speech encoder",
        "",
        *_rules(plan),
        "| input | digest of its weights | licence |",
        "|---|---|---|",
        *_inputs(plan, digests),
        "",
        f"Computed in float32, written as {plan.recipe.dtype or 'the first input was'}, rounded once; "
        f"seed {plan.recipe.seed}.",
        *_copied(plan),
        *(f"{line}." for line in tell_names(plan, short_name)),
        *([f"`{MASKS_FILE}` says which elements belong to which tuned encoder."] if masks else []),
        f"`{RECIPE_FILE}` beside this file merges the same again: `msm merge {RECIPE_FILE} --output OUT`; "
        "`msm merge --verify` on this folder checks that it does.",
        "",
        "```python",
        "from transformers import AutoModel",
        "",
        'encoder = AutoModel.from_pretrained("path/to/this/folder")',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _front_matter(plan: Plan) -> list[str]:
    licences = [read_licence(each.folder) for each in plan.inputs]
    # Unlike licences are for a person to reconcile.
    field = [f"license: {licences[0]}"] if licences[0] and len(set(licences)) == 1 else []
    fetched = [cached_id(each.folder) for each in plan.inputs]
    parents = ", ".join(dict.fromkeys(each.repository for each in fetched if each is not None))
    if parents:
        field += [f"base_model: [{parents}]", "base_model_relation: merge"]
    return ["---", "library_name: transformers", *field, "tags: [merge, speech, mergekit-speech]", "---", ""]


def _rules(plan: Plan) -> list[str]:
    lines = []
    for rule in list({rule.name: rule for rule in plan.rules}.values()):
        lines += [
            f"Merged by mergekit-speech {__version__} with the strategy `{rule.name}`: {rule.strategy.summary}",
            f"Source: {rule.strategy.source}.",
            "",
        ]
    lines += ["| strategy | setting | value | meaning |", "|---|---|---|---|"]
    for rule in plan.rules[:MOST_RULES]:
        lines += _settings(rule)
    if len(plan.rules) > MOST_RULES:
        lines.append(f"| … | | | {len(plan.rules) - MOST_RULES} more sets of settings, see `{RECIPE_FILE}` |")
    return [*lines, ""]


def _settings(rule: Rule) -> list[str]:
    return [
        f"| {rule.name} | {name} | {_show(value)} | {rule.strategy.params[name].doc} |"
        for name, value in rule.args.values.items()
    ]


def _inputs(plan: Plan, digests: Sequence[str]) -> list[str]:
    known = digests or ["not computed"] * len(plan.inputs)
    return [
        f"| {short_name(each.folder)} | `{digest}` | {read_licence(each.folder) or 'not stated'} |"
        for each, digest in zip(plan.inputs, known, strict=True)
    ]


def _copied(plan: Plan) -> list[str]:
    kept: dict[str, int] = {}
    for step in plan.steps:
        if step.copied:
            kept[step.copied] = kept.get(step.copied, 0) + 1
    return (
        [f"Parameters that were copied: {'; '.join(f'{count} {why}' for why, count in kept.items())}."] if kept else []
    )


def _show(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
