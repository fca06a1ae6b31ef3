"""Running a workflow: step by step, each into its folder; what is done stays done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.errors import OutputError, SettingsError
from mergekit_speech.finetuning.joint import Mixture
from mergekit_speech.finetuning.method import L2, Adapter, AdapterKind, Method
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.unsupervised import CLUSTERS, Unlabelled
from mergekit_speech.merging.merge import merge
from mergekit_speech.reports.bench import bench
from mergekit_speech.training.run_folder import read_json, write_json
from mergekit_speech.workflows.read import references
from mergekit_speech.workflows.schema import BASE, BenchPart, FinetunePart, MergePart, StepPart, Workflow

STATE = "workflow.json"
LOGGING = {"finetune": {"log_to"}}
"""What a step may change without being another step."""
Told = Callable[[str, bool], None]
"""Called with the name of each step: when it begins, with True, or when it is done already, with False."""


@dataclass(frozen=True)
class StepResult:
    """What became of a step.

    Attributes:
        name: Of the step.
        verb: "finetune", "merge" or "bench".
        folder: Where it lies.
        done_before: Whether an earlier call had done it.
    """

    name: str
    verb: str
    folder: Path
    done_before: bool


def _keep_quiet(_name: str, _begins: bool) -> None:
    pass


def run_workflow(workflow: Workflow, output: Path, *, told: Told = _keep_quiet) -> Sequence[StepResult]:
    """Runs the steps of a workflow that are not done, in order; a broken one goes on where it stopped.

    Args:
        workflow: What to do.
        output: Folder to make; each step has a folder of its name in it.
        told: Told of each step.

    Raises:
        OutputError: `output` holds something else than a workflow.
        SettingsError: A finished step was described differently; or a setting is out of range.
        MsmError: Whatever a step raises; steps before it stay.
    """
    state = _open(output)
    digests: dict[str, str] = {}
    results = []
    for step in workflow.steps:
        digests[step.name] = _digest(step, workflow, digests)
        folder = output / step.name
        known = state.get(step.name)
        if known is not None and known != digests[step.name]:
            raise SettingsError(
                f"the step {step.name!r} in {output} was made by another description: delete {folder} and its line in"
                f" {output / STATE}, or choose another --output"
            )
        done = known is not None and folder.is_dir()
        told(step.name, not done)
        if not done:
            _run(step, workflow, output, set(digests))
            state[step.name] = digests[step.name]
            write_json(output / STATE, state)
        results.append(StepResult(step.name, _verb(step), folder, done))
    return results


def _open(output: Path) -> dict[str, Any]:
    if (output / STATE).is_file():
        return read_json(output / STATE)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} exists and is no folder of a workflow: choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / STATE, {})
    return {}


def _verb(step: StepPart) -> str:
    return next(verb for verb in ("finetune", "merge", "bench") if getattr(step, verb) is not None)


def _digest(step: StepPart, workflow: Workflow, known: Mapping[str, str]) -> str:
    needed = {name: known[name] for name in references(step) if name in known}
    content = {
        "step": step.model_dump(exclude_defaults=True, exclude=LOGGING),
        "base": workflow.base if BASE in references(step) else None,
        "data": workflow.data,
        "needed": needed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _run(step: StepPart, workflow: Workflow, output: Path, names: set[str]) -> None:
    def find(name: str) -> str:
        if name == BASE and workflow.base is not None:
            return workflow.base
        return str(output / name) if name in names and name != step.name else name

    part, folder = step.part, output / step.name
    if isinstance(part, FinetunePart):
        _finetune(part, find(part.encoder), part.data or workflow.data or "", folder)
    elif isinstance(part, MergePart):
        _merge(part, find, folder)
    else:
        labelled = [name if find(name) == name else f"{name}={find(name)}" for name in part.encoders]
        _bench(part, labelled, workflow, folder)


def _finetune(part: FinetunePart, encoder: str, data: str, folder: Path) -> None:
    finetune(
        encoder,
        data=data,
        output=folder,
        task=part.task,
        unlabelled=_unlabelled(part),
        mixture=Mixture(part.task_weights or {}, 1.0 if part.temperature is None else part.temperature),
        resume=True,
        steps=part.steps,
        learning_rate=part.lr,
        clips=part.batch,
        batch_seconds=part.batch_seconds,
        accumulate=part.accumulate,
        accumulate_seconds=part.accumulate_seconds,
        evaluate_every=part.evaluate_every,
        head_only=0.0 if part.regular else part.head_only,
        precision=part.precision,
        gradient_checkpointing=part.gradient_checkpointing,
        compiled=part.compile,
        workers=part.workers,
        fold=part.fold,
        seed=part.seed,
        method=_method(part),
        log_to=part.log_to,
    )


def _unlabelled(part: FinetunePart) -> Unlabelled | None:
    if part.unlabelled is None:
        return None
    folders = (part.unlabelled,) if isinstance(part.unlabelled, str) else tuple(part.unlabelled)
    clusters = CLUSTERS if part.clusters is None else part.clusters
    return Unlabelled(folders, part.targets, clusters, part.cluster_layer)


def _method(part: FinetunePart) -> Method:
    rank = part.lora if part.dora is None else part.dora
    targets = tuple(part.adapter_targets or ())
    kind: AdapterKind = "dora" if part.lora is None else "lora"
    factors = None if part.l2_layers is None else tuple(part.l2_layers)
    return Method(
        train_cnn=part.train_cnn or part.regular,
        l2=None if part.l2 is None else L2(part.l2, factors),
        adapter=None if rank is None else Adapter(kind, rank, part.adapter_alpha, targets),
        ema=part.ema,
        early=part.early,
    )


def _merge(part: MergePart, find: Callable[[str], str], folder: Path) -> None:
    tuned = [part.tuned] if isinstance(part.tuned, str) else part.tuned
    settings: dict[str, Any] = part.parameters if part.alpha is None else {"alpha": part.alpha, **part.parameters}
    merge(
        None if part.base is None else find(part.base),
        [find(name) for name in tuned],
        output=folder,
        strategy=part.strategy,
        dtype=part.dtype,
        keep=part.keep,
        extrapolate=part.extrapolate,
        force=part.force,
        seed=part.seed,
        overwrite=True,
        **settings,
    )


def _bench(part: BenchPart, encoders: list[str], workflow: Workflow, folder: Path) -> None:
    bench(
        encoders,
        data=part.data or workflow.data or "",
        tasks=part.tasks,
        output=folder,
        seeds=part.seeds,
        steps=part.steps,
        learning_rate=part.lr,
        clips=part.batch,
        accumulate=part.accumulate,
        evaluate_every=part.evaluate_every,
        folds=part.folds,
        references=part.references,
        resume=True,
        overwrite=True,
    )
