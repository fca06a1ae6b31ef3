"""Changing what a workflow says of its steps before it is checked, as `msm run --set` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mergekit_speech.errors import RecipeError
from mergekit_speech.registry import suggestion
from mergekit_speech.workflows.schema import VERBS


def change(document: Any, changes: Mapping[str, Any]) -> Any:
    """Gives a copy of a workflow with other values in the places of `changes`.

    Args:
        document: Plain values of the file; where it is no workflow it is given back, and the check tells of it.
        changes: Plain values by `STEP.KEY`.

    Raises:
        RecipeError: The workflow has no such step.
    """
    steps = document.get("steps") if isinstance(document, dict) else None
    if not changes or not isinstance(steps, list):
        return document
    steps = list(steps)
    places = {str(step.get("name")): place for place, step in enumerate(steps) if isinstance(step, dict)}
    for name, value in changes.items():
        step, _, key = name.rpartition(".")
        if step not in places:
            raise RecipeError(
                f"expected to change STEP.KEY of one of the steps {', '.join(places)}, came {name!r}"
                f"{suggestion(step, places)}"
            )
        steps[places[step]] = _with(steps[places[step]], key, value)
    return {**document, "steps": steps}


def _with(step: Mapping[str, Any], key: str, value: Any) -> Mapping[str, Any]:
    verb = next((verb for verb in VERBS if isinstance(step.get(verb), dict)), None)
    return step if verb is None else {**step, verb: {**step[verb], key: value}}
