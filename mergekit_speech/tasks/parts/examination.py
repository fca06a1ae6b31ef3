"""Puts whatever answers a task's clips to the test: on validation clips while it learns, on test clips at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.rows import Rows
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task

Answerer = Callable[[Sequence[Clip]], Mapping[str, Any]]
"""Gives the answer to each clip, by the clip's id."""


@dataclass(frozen=True)
class Examination:
    """A task's questions and who answers them.

    Attributes:
        task: Counts the errors.
        splits: Validation and test clips.
        answer: Who is examined, in its state of the moment.
    """

    task: Task
    splits: Splits
    answer: Answerer

    def validate(self) -> Mapping[str, float]:
        """Every metric on the validation clips, as fractions."""
        return self.task.figures(self._valid()[0])

    def conclude(self) -> tuple[Rows, Rows]:
        """Rows of the validation clips and of the test clips; what was decided on the former holds for the latter."""
        valid, decision = self._valid()
        return valid, self.task.measure(self.answer(self.splits.test), self.splits.test, decision)

    def _valid(self) -> tuple[Rows, Any]:
        answers = self.answer(self.splits.valid)
        decision = self.task.decide(answers, self.splits.valid)
        return self.task.measure(answers, self.splits.valid, decision), decision
