"""The supervised scenario: one task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.evaluation import answer
from mergekit_speech.finetuning.learner import StableFineTuning, TaskBatches
from mergekit_speech.finetuning.lesson import Lesson
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.manifest import refuse_absent
from mergekit_speech.tasks.parts.drawing import draw
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.run_folder import write_json
from mergekit_speech.training.settings import Goal


def goal_of(task: Task) -> Goal:
    """The metric that picks a task's best checkpoint."""
    return Goal(task.metrics[0].name, task.metrics[0].lower_is_better)


def refuse_untrained(task: Task) -> None:
    """Refuses a task without a head.

    Raises:
        SettingsError: The task trains none.
    """
    if not task.trains:
        raise SettingsError(
            f"task {task.name!r} trains no head, so no encoder can be fine-tuned on it: choose another (`msm tasks`),"
            f" and measure with `msm bench --tasks {task.name}`"
        )


def task_lesson(
    encoder: PretrainedEncoder, task: Task, data: Path, settings: FinetuneSettings, fold: int | None = None
) -> Lesson:
    """Prepares fine-tuning on a task.

    Args:
        encoder: What is fine-tuned; owned from here on.
        task: What on.
        data: Folder that holds its manifest.
        settings: How.
        fold: Number of the fold to leave out and test, where the task has several; None leaves out the first.

    Raises:
        DataError: The data cannot be used.
        SettingsError: The method does not suit the encoder, or the task has no such fold.
    """
    splits = choose_fold(task, data, fold)
    labels, audio = task.labels(splits.train), AudioStore()
    refuse_absent(splits.clips)
    learner = StableFineTuning(encoder, task, labels, settings.thaw, settings.method)
    examination = Examination(task, splits, lambda clips: answer(learner, learner.predict, task, labels, clips, audio))
    stream = draw(task, splits.train, labels, settings.limits, settings.seed)
    return Lesson(
        learner=learner,
        feed=Feed(stream, TaskBatches(task, labels, audio, settings.seed), settings.workers),
        goal=goal_of(task),
        valid=splits.valid,
        validate=examination.validate,
        test=lambda: task.figures(examination.conclude()[1]),
        save_head=lambda folder: save_head(learner.head, labels, folder),
        facts={"task": task.name, "data": {**describe_data(data, [task.manifest(data)]), **describe_fold(splits)}},
    )


def choose_fold(task: Task, data: Path, fold: int | None) -> Splits:
    """Reads the splits of one fold.

    Raises:
        DataError: The data cannot be used.
        SettingsError: The task has no such fold.
    """
    folds = task.folds(data)
    for splits in folds:
        if fold in (None, splits.fold):
            return splits
    known = ", ".join(str(splits.fold) for splits in folds if splits.fold is not None)
    raise SettingsError(f"expected one of the folds of task {task.name!r} ({known or 'it has none'}), came {fold!r}")


def describe_fold(splits: Splits) -> Mapping[str, int]:
    """What a record says of the fold that was left out, where there is one."""
    return {} if splits.fold is None else {"fold": splits.fold}


def save_head(head: nn.Module, labels: Labels, folder: Path) -> None:
    """Writes a task head and its labels into an existing folder."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    save_file(tensors, folder / "head.safetensors")
    write_json(folder / "labels.json", {"labels": list(labels.names)})


def describe_data(data: Path, manifests: list[Path]) -> Mapping[str, Any]:
    """What a record says of data: where it lies, and a digest of what was read."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in manifests)).hexdigest()
    return {"path": str(data.resolve()), "manifest": f"sha256:{digest}"}
