"""An observer that shows a run as one progress line: loss, metric, learning rate, speed, time left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.settings import Goal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SMOOTHING = 0.95


class ProgressLine:
    """One line of a rich progress display."""

    def __init__(self, progress: Progress, title: str, goal: Goal) -> None:
        """Adds a line to `progress` when the run starts.

        Args:
            progress: A live display; see `cli.output.Output.progress`.
            title: What runs.
            goal: The metric to show.
        """
        self._progress, self._title, self._goal = progress, title, goal
        self._line: TaskID | None = None
        self._loss: float | None = None
        self._metric = ""

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""
        self._line = self._progress.add_task(self._title, total=steps, completed=done)

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self._loss = event.loss if self._loss is None else SMOOTHING * self._loss + (1 - SMOOTHING) * event.loss
        speed = event.audio_seconds / event.seconds
        text = f"loss {self._loss:.3f}{self._metric}  lr {event.learning_rate:.1e}  {speed:.0f} s audio/s"
        if self._line is not None:
            self._progress.update(self._line, completed=event.step, description=f"{self._title}  {text}")

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""
        self._metric = f"  valid {self._goal.metric} {event.metrics[self._goal.metric]:.3f}"

    def close(self) -> None:
        """See `Observer.close`."""
        if self._line is not None:
            self._progress.stop_task(self._line)
