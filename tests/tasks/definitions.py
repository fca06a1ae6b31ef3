"""The built-in tasks, typed."""

from __future__ import annotations

from mergekit_speech.registry import TASKS
from mergekit_speech.tasks.parts.classification import ClassificationTask
from mergekit_speech.tasks.parts.ctc import CtcTask


def ctc_task(name: str) -> CtcTask:
    task = TASKS.load(name)
    assert isinstance(task, CtcTask)
    return task


def classification_task(name: str) -> ClassificationTask:
    task = TASKS.load(name)
    assert isinstance(task, ClassificationTask)
    return task
