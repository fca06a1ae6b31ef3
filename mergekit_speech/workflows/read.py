"""Reading a workflow, with every fault at once and its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.arguments import Fault
from mergekit_speech.merging.documents.faults import explain, located
from mergekit_speech.merging.documents.yaml_text import read_yaml
from mergekit_speech.workflows.changes import change
from mergekit_speech.workflows.schema import BASE, BenchPart, FinetunePart, StepPart, Workflow, known_keys

BESIDE: Mapping[str, tuple[str, ...]] = {
    "targets": ("unlabelled",),
    "clusters": ("unlabelled",),
    "cluster_layer": ("unlabelled",),
    "l2_layers": ("l2",),
    "adapter_alpha": ("lora", "dora"),
    "adapter_targets": ("lora", "dora"),
}
"""Keys of a fine-tuning that say more about another one."""


def read_workflow(
    path: Path, *, base: str | None = None, data: str | None = None, changes: Mapping[str, Any] | None = None
) -> Workflow:
    """Read a workflow and check what can be checked without reading a checkpoint.

    Args:
        path: The YAML file.
        base: In place of the base that it names.
        data: In place of the data folder that it names.
        changes: Plain values by `STEP.KEY`, in place of what it says of its steps.

    Raises:
        RecipeError: The file cannot be read, has no step that is to be changed, or has faults; the message lists all of
            them with their lines.
    """
    text = read_yaml(path)
    if len(text.documents) != 1:
        raise RecipeError(f"{path}: expected one workflow, came {len(text.documents)} documents")
    faults = list(text.faults)
    try:
        workflow = Workflow.model_validate(change(text.documents[0], changes or {}))
    except ValidationError as error:
        faults += explain(error, known_keys, (0,), "data, steps")
        raise located(path, faults, text) from error
    given = {key: value for key, value in (("base", base), ("data", data)) if value is not None}
    workflow = workflow.model_copy(update=given)
    faults += _check_steps(workflow)
    if faults:
        raise located(path, faults, text)
    return workflow


def references(step: StepPart) -> list[str]:
    """What a step reads: checkpoints, and names of other steps."""
    part = step.part
    if isinstance(part, FinetunePart):
        return [part.encoder]
    if isinstance(part, BenchPart):
        return list(part.encoders)
    tuned = [part.tuned] if isinstance(part.tuned, str) else part.tuned
    return [*([part.base] if part.base is not None else []), *tuned]


def _check_steps(workflow: Workflow) -> Iterator[Fault]:
    names = [step.name for step in workflow.steps]
    for number, step in enumerate(workflow.steps):
        place = (0, "steps", number)
        if step.name == BASE and workflow.base is not None:
            yield Fault((*place, "name"), f"expected another name than {BASE!r}, which is the workflow's base")
        if step.name in names[:number]:
            yield Fault((*place, "name"), f"expected the name {step.name!r} once, came again")
        for name in references(step):
            if name in names[number:]:
                yield Fault(place, f"expected {name!r} among the earlier steps, came {step.name!r} before it is made")
            elif name in names and workflow.steps[names.index(name)].bench is not None:
                yield Fault(place, f"expected an encoder, came {name!r}, which is a report")
        part = step.part
        if isinstance(part, FinetunePart | BenchPart) and part.data is None and workflow.data is None:
            yield Fault(place, f"expected data, at the top, in the step {step.name!r} or as --data, came none")
        if isinstance(part, FinetunePart):
            yield from _check_finetune(part, step.name, place)


def _check_finetune(part: FinetunePart, name: str, place: tuple[str | int, ...]) -> Iterator[Fault]:
    given = part.model_dump(exclude_none=True)
    if ("task" in given) == ("unlabelled" in given):
        yield Fault(place, f"expected task or unlabelled in the step {name!r}, came both or neither")
    if "lora" in given and "dora" in given:
        yield Fault(place, f"expected lora or dora in the step {name!r}, came both")
    for key, needed in BESIDE.items():
        if key in given and not given.keys() & set(needed):
            yield Fault(place, f"expected {' or '.join(needed)} beside {key} in the step {name!r}, came none")
    several = isinstance(part.task, list) and len(part.task) > 1
    for key in ("task_weights", "temperature"):
        if key in given and not several:
            yield Fault(place, f"expected several tasks beside {key} in the step {name!r}, came {part.task!r}")
