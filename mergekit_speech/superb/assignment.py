"""A task as a bench probes it: its definition, clips, labels and numbers, all checked before anything is trained."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import refuse_absent
from mergekit_speech.superb.settings import Overrides, ProbeSettings
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.settings import Goal


@dataclass(frozen=True)
class Fold:
    """A division of a task's clips; most tasks have one.

    Attributes:
        splits: Its clips.
        labels: Outputs of its head, from its training split alone.
    """

    splits: Splits
    labels: Labels


@dataclass(frozen=True)
class Assignment:
    """One task of a bench.

    Attributes:
        task: Its definition.
        folds: Its clips, divided as often as the task wants; each seed trains a head for each.
        settings: How its probes are trained; None where the task trains no head.
        manifest: Digest of its manifest and of whatever else it reads beside the recordings.
    """

    task: Task
    folds: tuple[Fold, ...]
    settings: ProbeSettings | None
    manifest: str

    @property
    def clips(self) -> list[Clip]:
        """The clips of all folds, each once, those to train on first."""
        return list({clip.id: clip for fold in self.folds for clip in fold.splits.clips}.values())

    @property
    def tested(self) -> int:
        """Number of test clips, those of all folds together."""
        return sum(len(fold.splits.test) for fold in self.folds)

    @property
    def goal(self) -> Goal:
        """The metric that picks the best checkpoint."""
        return Goal(self.task.metrics[0].name, self.task.metrics[0].lower_is_better)


def read_assignments(data: Path, names: Sequence[str], overrides: Overrides) -> list[Assignment]:
    """Reads every task's data and checks it.

    Args:
        data: Folder that holds `<task>/manifest.jsonl`.
        names: Tasks, in the order of the report.
        overrides: What to do otherwise than SUPERB.

    Raises:
        SettingsError: No task, one task twice, or a number out of range.
        StrategyError: A task is unknown or cannot be loaded.
        DataError: A task's data cannot be used; the message names the task.
    """
    if not names:
        raise SettingsError("expected at least one task to probe, came none: `msm tasks` lists them")
    for name, count in Counter(names).items():
        if count > 1:
            raise SettingsError(f"expected each task once, came {name!r} {count} times: name it once")
    tasks = [TASKS.load(name) for name in names]
    overrides.check(names)
    settings = [overrides.settings(task) for task in tasks]
    return [_read(data, task, chosen, overrides.folds) for task, chosen in zip(tasks, settings, strict=True)]


def _read(data: Path, task: Task, settings: ProbeSettings | None, most: int | None) -> Assignment:
    try:
        folds = tuple(Fold(splits, task.labels(splits.train)) for splits in task.folds(data)[:most])
        assignment = Assignment(task, folds, settings, _digest(data, task))
        refuse_absent(assignment.clips)
    except DataError as fault:
        raise DataError(f"task {task.name!r}: {fault}") from fault
    return assignment


def _digest(data: Path, task: Task) -> str:
    digest = hashlib.sha256()
    for path in task.files(data):
        digest.update(path.read_bytes())
    return f"sha256:{digest.hexdigest()}"
