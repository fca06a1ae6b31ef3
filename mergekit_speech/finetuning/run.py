"""Fine-tunes an encoder on a task and writes the run folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.encoders.pretrained import load_encoder, save_encoder
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.finetuning.early import EarlyCheckpoint
from mergekit_speech.finetuning.evaluation import answer
from mergekit_speech.finetuning.learner import StableFineTuning, TaskBatches
from mergekit_speech.finetuning.schedule import thaw_step
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.hub.fetch import resolve
from mergekit_speech.hub.names import lasting_name
from mergekit_speech.registry import TASKS
from mergekit_speech.shards.folder import whole_folder
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.checkpoints import DiskCheckpoints
from mergekit_speech.training.events import Observer
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.loop import Evaluate, Loop, Outcome
from mergekit_speech.training.recording import JsonLines, TensorBoard
from mergekit_speech.training.run_folder import RunFolder, write_json
from mergekit_speech.training.settings import Goal
from mergekit_speech.training.versions import versions

EARLY = "early"
"""Folder of a run that holds the encoder of a few steps, where the method keeps one."""


@dataclass(frozen=True)
class FinetuneReport:
    """What a fine-tuning run made.

    Attributes:
        run: The run folder.
        encoder: The tuned encoder's directory.
        best_step: Step of the checkpoint that was kept: the best on the validation split.
        valid: Its metrics on the validation split, fractions.
        test: Its metrics on the test split, fractions; they chose nothing.
    """

    run: Path
    encoder: Path
    best_step: int
    valid: Mapping[str, float]
    test: Mapping[str, float]


def goal_of(task: Task) -> Goal:
    """The metric that picks a task's best checkpoint."""
    return Goal(task.metrics[0].name, task.metrics[0].lower_is_better)


def finetune(
    base: str | Path,
    *,
    task: str,
    data: str | Path,
    output: str | Path,
    settings: FinetuneSettings | None = None,
    observers: Sequence[Observer] = (),
    resume: bool = False,
    overwrite: bool = False,
    **changes: Any,
) -> FinetuneReport:
    """Fine-tunes an encoder stably.

    Args:
        base: The encoder's directory or file, in any layout that `msm convert` reads, or its name on the hub.
        task: Name of a task that `msm tasks` lists.
        data: Folder that holds `<task>/manifest.jsonl`.
        output: The run folder; `output/encoder` loads with `AutoModel.from_pretrained`.
        settings: How; None takes the task's own, changed by `changes`.
        observers: Told of every step, beside the files of the run.
        resume: Continue the run in `output`.
        overwrite: Replace the run in `output`.
        changes: Arguments of `FinetuneSettings.of`, such as `steps=2000`.

    Raises:
        SettingsError: A setting is out of range, or the run to resume was started differently.
        CheckpointError: `base` is not an encoder.
        DataError: The data cannot be used.
        OutputError: `output` is taken, or the disk is full.
        Interrupted: Ctrl-C; `resume` continues.
    """
    definition = TASKS.load(task)
    chosen = settings or FinetuneSettings.of(definition.tuning, **changes)
    chosen.loop()
    base, data, folder = resolve(base), Path(data), RunFolder(Path(output))
    splits, encoder = definition.splits(data), load_encoder(base)
    folder.open(_record(base, definition, data, chosen), resume=resume, overwrite=overwrite)
    labels, audio = definition.labels(splits.train), AudioStore()
    torch.manual_seed(chosen.seed)
    thaw = thaw_step(chosen.steps, chosen.head_only)
    learner = StableFineTuning(encoder, definition, labels, thaw, chosen.method)
    examination = Examination(definition, splits, lambda clips: answer(learner, definition, labels, clips, audio))
    feed = Feed(
        ClipStream(splits.train, BatchLimits(clips=chosen.clips), chosen.seed), TaskBatches(definition, labels, audio)
    )
    watching = [*_keepers(learner, chosen, folder, base), *observers]
    loop = _loop(learner, feed, chosen, examination.validate, goal_of(definition), folder, watching)
    outcome = loop.run(resume=resume)
    test = definition.figures(examination.conclude()[1])
    return _write(folder, learner, labels, base, outcome, test)


def _keepers(
    learner: StableFineTuning, settings: FinetuneSettings, folder: RunFolder, base: Path
) -> Iterator[Observer]:
    """What the method asks for beside the steps; averages come first, so that what is kept is up to date."""
    if learner.ema is not None:
        yield learner.ema
    if settings.method.early is not None:
        yield EarlyCheckpoint(
            settings.method.early, settings.steps, lambda: _write_encoder(learner, folder.path / EARLY, base)
        )


def _write_encoder(learner: StableFineTuning, folder: Path, base: Path) -> None:
    with whole_folder(folder, overwrite=True) as partial:
        save_encoder(learner.tuned(), partial, like=base)


def _loop(
    learner: StableFineTuning,
    feed: Feed,
    settings: FinetuneSettings,
    validate: Evaluate,
    goal: Goal,
    folder: RunFolder,
    observers: Sequence[Observer],
) -> Loop:
    files: list[Observer] = [JsonLines(folder.metrics), TensorBoard(folder.events)]
    checkpoints = DiskCheckpoints(folder.checkpoints)
    return Loop(learner, feed, settings.loop(), validate, goal, checkpoints, [*files, *observers])


def _record(base: Path, task: Task, data: Path, settings: FinetuneSettings) -> dict[str, Any]:
    return {
        "kind": "finetune",
        "base": {"path": lasting_name(base), "digest": encoder_digest(base)},
        "task": task.name,
        "settings": {**asdict(settings), "method": settings.method.document()},
        "data": {
            "path": str(data.resolve()),
            "manifest": f"sha256:{hashlib.sha256(task.manifest(data).read_bytes()).hexdigest()}",
        },
        "versions": versions(),
    }


def _write(
    folder: RunFolder,
    learner: StableFineTuning,
    labels: Labels,
    base: Path,
    outcome: Outcome,
    test: Mapping[str, float],
) -> FinetuneReport:
    with whole_folder(folder.head, overwrite=True) as partial, learner.judged():
        _save_head(learner, labels, partial)
    _write_encoder(learner, folder.encoder, base)
    folder.finish(
        {
            "kept": {"step": outcome.best_step, "why": "best on the validation split after the thaw"},
            "valid": dict(outcome.best),
            "test": dict(test),
            "history": list(outcome.history),
        }
    )
    return FinetuneReport(folder.path, folder.encoder, outcome.best_step, outcome.best, test)


def _save_head(learner: StableFineTuning, labels: Labels, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(
        {name: tensor.detach().cpu() for name, tensor in learner.head.state_dict().items()}, folder / "head.safetensors"
    )
    write_json(folder / "labels.json", {"labels": list(labels.names)})
