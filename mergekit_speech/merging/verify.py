"""Whether a merged checkpoint is what its recipe makes: merged again and compared, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mergekit_speech.api import Array
from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.card import RECIPE_FILE
from mergekit_speech.merging.computation import Found
from mergekit_speech.merging.formats import to_values
from mergekit_speech.merging.inputs import digest_input
from mergekit_speech.merging.plan import Limits, Plan, Step, make_plan
from mergekit_speech.merging.process import Digests, Process
from mergekit_speech.merging.provenance import METADATA_KEY
from mergekit_speech.shards.dtypes import FLOATS
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, Weights, open_checkpoint

SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """A parameter that is not what the recipe makes.

    Attributes:
        parameter: Its name.
        bytes: Number of bytes that differ.
        largest: Largest difference of two elements; None where the parameters are of another kind.
    """

    parameter: str
    bytes: int
    largest: float | None


@dataclass(frozen=True)
class VerifyReport:
    """What a comparison found.

    Attributes:
        output: The checkpoint that was compared.
        parameters: Number of its parameters.
        differences: Those that differ, in their order.
    """

    output: Path
    parameters: int
    differences: tuple[Difference, ...]

    def require_same(self) -> None:
        """Stop if there is a difference.

        Raises:
            CheckpointError: There is; the message names the first ones.
        """
        if not self.differences:
            return
        listed = ", ".join(
            f"{each.parameter} in {each.bytes} bytes"
            + (f", by {each.largest:g} at most" if each.largest is not None else "")
            for each in self.differences[:SHOWN]
        )
        more = f" and {len(self.differences) - SHOWN} more" if len(self.differences) > SHOWN else ""
        raise CheckpointError(
            f"expected {self.output} to be what its recipe makes, came another {listed}{more}; merge again"
        )


def verify_output(
    output: Path, limits: Limits | None = None, *, progress: Callable[[int, int], None] | None = None
) -> VerifyReport:
    """Merge again what a merged checkpoint's recipe says, and compare.

    Args:
        output: Folder that `msm merge` made.
        limits: What it may use.
        progress: Called after every parameter with the number of steps done and of all steps.

    Raises:
        CheckpointError: The folder was not made by a merge, holds other parameters, or an input has changed since.
        MsmError: The recipe cannot be read, planned or run; `make_plan` and `run_plan` list the cases.
    """
    if not (output / RECIPE_FILE).is_file():
        raise CheckpointError(
            f"expected {RECIPE_FILE} in {output}, which is missing; give a folder that msm merge made"
        )
    from mergekit_speech.merging.recipe_yaml import read_recipe

    checkpoint = open_checkpoint(output)
    plan = make_plan(read_recipe(output / RECIPE_FILE), limits)
    _check_parameters(plan, checkpoint)
    _check_inputs(plan, checkpoint)
    with Weights(checkpoint) as weights:
        comparer = _Comparer(weights, plan)
        Process(plan, comparer, digest=False, warn=lambda _text: None).run({}, _counting(plan, progress))
    return VerifyReport(output, len(checkpoint.parameters), comparer.differences())


def _check_parameters(plan: Plan, checkpoint: Checkpoint) -> None:
    made = {step.parameter.name: (step.parameter.dtype, step.parameter.shape) for step in plan.steps}
    there = {name: (each.dtype, each.shape) for name, each in checkpoint.parameters.items()}
    unlike = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    if unlike:
        listed = ", ".join(f"{name} {there.get(name)} against {made.get(name)}" for name in unlike[:SHOWN])
        raise CheckpointError(
            f"expected the parameters that its recipe makes in {checkpoint.folder}, came {len(unlike)} others: {listed}"
        )


def _check_inputs(plan: Plan, checkpoint: Checkpoint) -> None:
    try:
        recorded = [each["digest"] for each in json.loads(checkpoint.metadata[METADATA_KEY])["inputs"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"expected the record of a merge in the header of {checkpoint.folder}, came {error!r}; merge again"
        ) from error
    for each, digest in zip(plan.inputs, recorded, strict=False):
        if digest is None:
            continue
        found = digest_input(each, threads=plan.threads)
        if found != digest:
            raise CheckpointError(
                f"the input {each.folder} has changed since {checkpoint.folder} was made: "
                f"its digest was {digest}, it is {found}; merge again"
            )


def _counting(plan: Plan, progress: Callable[[int, int], None] | None) -> Callable[[Step, Digests], None]:
    done = 0

    def count(_step: Step, _digests: Digests) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(plan.steps))

    return count


class _Comparer:
    """Takes results in place of a writer, and compares them with what is there."""

    def __init__(self, weights: Weights, plan: Plan) -> None:
        self._weights = weights
        self._parameters = {step.parameter.name: step.parameter for step in plan.steps}
        self._found: dict[str, Difference] = {}
        self._lock = threading.Lock()

    def write(self, name: str, data: memoryview, start: int = 0) -> None:
        made = np.frombuffer(data, np.uint8)
        there = np.empty_like(made)
        self._weights.read_into(name, there.data, start)
        if not np.array_equal(made, there):
            found = _compare(self._parameters[name], made, there)
            with self._lock:
                before = self._found.get(name, Difference(name, 0, found.largest))
                largest = None if found.largest is None else max(found.largest, before.largest or 0.0)
                self._found[name] = replace(before, bytes=before.bytes + found.bytes, largest=largest)

    def write_masks(self, name: str, start: int, masks: Sequence[Array], found: Found) -> None:
        # Masks follow from the same inputs as the weights that they belong to.
        return

    def differences(self) -> tuple[Difference, ...]:
        return tuple(self._found[name] for name in self._parameters if name in self._found)


def _compare(parameter: Parameter, made: np.ndarray, there: np.ndarray) -> Difference:
    unlike = int((made != there).sum())
    if parameter.dtype not in FLOATS:
        return Difference(parameter.name, unlike, None)
    one, other = (to_values(each, parameter.dtype).astype(np.float64) for each in (made, there))
    return Difference(parameter.name, unlike, float(np.nanmax(np.abs(one - other), initial=0.0)))
