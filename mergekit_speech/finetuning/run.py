"""Fine-tunes an encoder on a task and writes the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.encoders.pretrained import load_encoder, save_encoder
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning import joint, unsupervised
from mergekit_speech.finetuning.distance import DistanceToBase
from mergekit_speech.finetuning.early import EarlyCheckpoint, early_step
from mergekit_speech.finetuning.joint import Mixture, joint_lesson
from mergekit_speech.finetuning.lesson import Lesson
from mergekit_speech.finetuning.passes import checkpoint_gradients, compile_encoder
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.finetuning.supervised import goal_of, refuse_untrained, task_lesson
from mergekit_speech.finetuning.unsupervised import BUDGET, Unlabelled, unlabelled_lesson
from mergekit_speech.hub.names import lasting_name
from mergekit_speech.merging.runs import encoder_folder
from mergekit_speech.registry import TASKS
from mergekit_speech.shards.folder import whole_folder
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.checkpoints import DiskCheckpoints
from mergekit_speech.training.events import Observer
from mergekit_speech.training.loggers import TENSORBOARD, check_loggers, new_loggers
from mergekit_speech.training.loop import Loop, Outcome
from mergekit_speech.training.ranks import first, wait
from mergekit_speech.training.recording import JsonLines
from mergekit_speech.training.run_folder import RunFolder
from mergekit_speech.training.settings import Goal
from mergekit_speech.training.versions import versions

EVEN = Mixture({})
"""All tasks weigh alike, and all clips are drawn alike."""
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
        waited: Share of the time of the steps, in [0, 1], in which training waited for data.
    """

    run: Path
    encoder: Path
    best_step: int
    valid: Mapping[str, float]
    test: Mapping[str, float]
    waited: float = 0.0


def finetune(
    base: str | Path,
    *,
    data: str | Path,
    output: str | Path,
    task: str | Sequence[str] | None = None,
    unlabelled: Unlabelled | None = None,
    mixture: Mixture = EVEN,
    settings: FinetuneSettings | None = None,
    fold: int | None = None,
    log_to: Sequence[str] = (TENSORBOARD,),
    observers: Sequence[Observer] = (),
    resume: bool = False,
    overwrite: bool = False,
    **changes: Any,
) -> FinetuneReport:
    """Fine-tunes an encoder stably: on a task, on several at once, or on unlabelled speech.

    Processes that `torchrun` or `accelerate launch` started share each batch, and the result is one process's, up to
    rounding and dropout; the first one writes the files and calls the observers.

    Args:
        base: The encoder's directory, or file in any layout that tells its settings, a run whose encoder to tune on, or
            its name on the hub.
        data: Folder that holds `<task>/manifest.jsonl`.
        output: The run folder; `output/encoder` loads with `AutoModel.from_pretrained`.
        task: Name of a task that `msm tasks` lists; or several, for a head each.
        unlabelled: What to continue pre-training on, in place of a task.
        mixture: How several tasks share the run.
        settings: How; None takes the task's own, the first one's of several, changed by `changes`.
        fold: Number of the fold to leave out and test, where a task has several; None leaves out the first.
        log_to: Loggers beside `metrics.jsonl`: "tensorboard", "wandb", "mlflow", "trackio".
        observers: Told of every step too.
        resume: Continue the run in `output`.
        overwrite: Replace the run in `output`.
        changes: Arguments of `FinetuneSettings.of`, such as `steps=2000`.

    Raises:
        SettingsError: A setting is out of range, there is not one scenario, a logger is unknown or not installed, or
            the run to resume was started differently.
        CheckpointError: `base` is not an encoder.
        DataError: The data cannot be used.
        OutputError: `output` is taken, another process writes it, or the disk is full.
        Interrupted: Ctrl-C; `resume` continues.
    """
    check_loggers(log_to)
    tasks = _load_tasks(task, unlabelled)
    chosen = settings or FinetuneSettings.of(tasks[0].tuning if tasks else BUDGET, **changes)
    chosen.loop()
    base, data, folder = encoder_folder(Path(base)), Path(data), RunFolder(Path(output))
    encoder = load_encoder(base)
    torch.manual_seed(chosen.seed)
    if unlabelled is not None:
        lesson = unlabelled_lesson(encoder, base, unlabelled, data, chosen)
    elif len(tasks) > 1:
        lesson = joint_lesson(encoder, tasks, mixture, data, chosen, fold)
    else:
        lesson = task_lesson(encoder, tasks[0], data, chosen, fold)
    if chosen.gradient_checkpointing:
        checkpoint_gradients(encoder)
    if chosen.compiled:
        compile_encoder(encoder)
    with folder.held():
        record = _record(base, lesson, chosen)
        folder.open(record, resume=resume, overwrite=overwrite)
        told = [JsonLines(folder.metrics), *new_loggers(log_to, folder, record), *observers]
        keepers = _keepers(lesson.learner, chosen, folder, base)
        loop = _loop(lesson, chosen, folder, [*keepers, DistanceToBase(lesson.learner, lesson.valid, told)])
        return _conclude(folder, lesson, base, loop.run(resume=resume))


def aim_of(task: str | Sequence[str] | None, unlabelled: Unlabelled | None) -> tuple[str, Goal]:
    """What a run with these arguments of `finetune` is about, in a word, and the metric that picks its checkpoint.

    Raises:
        SettingsError, StrategyError: As `finetune`.
    """
    tasks = _load_tasks(task, unlabelled)
    if len(tasks) > 1:
        return "+".join(each.name for each in tasks), joint.GOAL
    return (tasks[0].name, goal_of(tasks[0])) if tasks else ("unlabelled", unsupervised.GOAL)


def _load_tasks(names: str | Sequence[str] | None, unlabelled: Unlabelled | None) -> list[Task]:
    wanted = [names] if isinstance(names, str) else list(names or ())
    if bool(wanted) == (unlabelled is not None):
        raise SettingsError("expected a task, several, or unlabelled speech to tune on: name one of them")
    if len(set(wanted)) < len(wanted):
        raise SettingsError(f"expected each task once, got {', '.join(wanted)}: name it once")
    tasks: list[Task] = [TASKS.load(name) for name in wanted]
    for task in tasks:
        refuse_untrained(task)
    return tasks


def _keepers(learner: StableLearner, settings: FinetuneSettings, folder: RunFolder, base: Path) -> Iterator[Observer]:
    """What the method asks for beside the steps; averages come first, so that what is kept is up to date."""
    yield from _averages(learner)
    if settings.method.early is not None:
        yield EarlyCheckpoint(
            settings.method.early, settings.steps, lambda: _write_encoder(learner, folder.path / EARLY, base)
        )


def _averages(learner: StableLearner) -> Sequence[Observer]:
    return [] if learner.ema is None else [learner.ema]


def _write_encoder(learner: StableLearner, folder: Path, base: Path) -> None:
    with whole_folder(folder, overwrite=True) as partial:
        save_encoder(learner.tuned(), partial, like=base)


def _loop(lesson: Lesson, settings: FinetuneSettings, folder: RunFolder, observers: Sequence[Observer]) -> Loop:
    checkpoints = DiskCheckpoints(folder.checkpoints)
    watching = observers if first() else _averages(lesson.learner)
    looks = partial(_looks, settings)
    return Loop(
        lesson.learner, lesson.feed, settings.loop(), lesson.validate, lesson.goal, checkpoints, watching, looks
    )


def _looks(settings: FinetuneSettings, step: int) -> bool:
    """Whether a method looks at the weights after a step."""
    method = settings.method
    early = method.early is not None and step == early_step(method.early, settings.steps)
    return early or method.ema is not None


def _record(base: Path, lesson: Lesson, settings: FinetuneSettings) -> dict[str, Any]:
    return {
        "kind": "finetune",
        "base": {"path": lasting_name(base), "digest": encoder_digest(base)},
        **lesson.facts,
        "settings": settings.document(),
        "versions": versions(),
    }


def _conclude(folder: RunFolder, lesson: Lesson, base: Path, outcome: Outcome) -> FinetuneReport:
    test = lesson.test()
    if first():
        _write(folder, lesson, base, outcome, test)
    wait()
    return FinetuneReport(folder.path, folder.encoder, outcome.best_step, outcome.best, test, outcome.waited)


def _write(folder: RunFolder, lesson: Lesson, base: Path, outcome: Outcome, test: Mapping[str, float]) -> None:
    with whole_folder(folder.head, overwrite=True) as partial, lesson.learner.judged():
        lesson.save_head(partial)
    _write_encoder(lesson.learner, folder.encoder, base)
    folder.finish(
        {
            "kept": {"step": outcome.best_step, "why": "best on the validation split after the thaw"},
            "valid": dict(outcome.best),
            "test": dict(test),
            "history": list(outcome.history),
            "waited": outcome.waited,
        }
    )
