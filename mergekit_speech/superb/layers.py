"""Tests hidden states as they are, for tasks that train no head: the layer is chosen on validation clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.probe import States
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.tasks.parts.rows import Rows
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.settings import Goal


@dataclass(frozen=True)
class Tested:
    """One fold of a probe, tested.

    Attributes:
        valid: Rows of the validation split.
        test: Rows of the test split.
        layer_weights: Share of each hidden state.
        best_step: Step of the tested checkpoint; None without training.
    """

    valid: Rows
    test: Rows
    layer_weights: Sequence[float]
    best_step: int | None = None


def pick_layer(task: Task, splits: Splits, states: States, depth: int) -> Tested:
    """Tests the one hidden state of which the validation split's first metric is best, the lowest of equals.

    Args:
        task: Whose answers are hidden states, numpy float32, shape `(frames, dim)`.
        splits: Validation and test clips.
        states: Where hidden states come from.
        depth: Number of hidden states of a clip.
    """
    goal = Goal(task.metrics[0].name, task.metrics[0].lower_is_better)
    best, chosen = None, 0
    for layer in range(depth):
        value = _examine(task, splits, states, layer).validate()[goal.metric]
        if goal.better(value, best):
            best, chosen = value, layer
    valid, test = _examine(task, splits, states, chosen).conclude()
    return Tested(valid, test, [float(layer == chosen) for layer in range(depth)])


def _examine(task: Task, splits: Splits, states: States, layer: int) -> Examination:
    def answer(clips: Sequence[Clip]) -> Mapping[str, Any]:
        return {clip.id: states.read(clip)[layer].numpy() for clip in clips}

    return Examination(task, splits, answer)
