"""TensorBoard events of heads in training: a folder a probe, and below it one a fold where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.recording import TensorBoard


def head_events(
    events: Path | None, encoder: str, assignment: Assignment, seed: int, *, tested: bool
) -> Sequence[Observer]:
    """What records a probe.

    Args:
        events: Folder of all probes; None records nothing.
        encoder: Label of the encoder.
        assignment: The task and how it is learnt.
        seed: Of the probe.
        tested: Whether it is to be tested; one that only tries a learning rate has that in its folder's name.
    """
    if events is None or assignment.settings is None:
        return ()
    folder = events / encoder / assignment.task.name / f"seed-{seed}"
    if not tested:
        folder = folder / f"lr-{assignment.settings.learning_rate:g}"
    return [_Folds(folder, [fold.splits.fold for fold in assignment.folds])]


class _Folds:
    """A recorder for each fold in turn."""

    def __init__(self, folder: Path, folds: Sequence[int | None]) -> None:
        self._left = [TensorBoard(folder if fold is None else folder / f"fold-{fold}") for fold in folds]

    def start(self, done: int, steps: int) -> None:
        self._left[0].start(done, steps)

    def stepped(self, event: StepEvent) -> None:
        self._left[0].stepped(event)

    def evaluated(self, event: EvaluationEvent) -> None:
        self._left[0].evaluated(event)

    def close(self) -> None:
        self._left.pop(0).close()
