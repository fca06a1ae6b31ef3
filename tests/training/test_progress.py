"""The progress line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.progress import ProgressLine
from mergekit_speech.training.settings import Goal


@pytest.fixture
def progress() -> Progress:
    return Progress(console=Console(file=io.StringIO()))


def line_of(progress: Progress) -> ProgressLine:
    return ProgressLine(progress, "pr", Goal("per", lower_is_better=True))


def step(number: int, loss: float) -> StepEvent:
    return StepEvent(number, loss, learning_rate=2e-4, gradient_norm=1.0, audio_seconds=60.0, seconds=0.5)


def test_line_shows_loss_metric_rate_and_speed(progress: Progress) -> None:
    line = line_of(progress)
    line.start(0, 10)
    line.stepped(step(1, 3.0))
    assert progress.tasks[0].description == "pr  loss 3.000  lr 2.0e-04  120 s audio/s"
    line.evaluated(EvaluationEvent(1, {"per": 0.4567, "loss": 9.0}, best=True))
    line.stepped(step(2, 1.0))
    assert progress.tasks[0].description == "pr  loss 2.900  valid per 0.457  lr 2.0e-04  120 s audio/s"
    assert (progress.tasks[0].completed, progress.tasks[0].total) == (2, 10)


def test_resumed_run_starts_where_it_stopped(progress: Progress) -> None:
    line_of(progress).start(4, 10)
    assert (progress.tasks[0].completed, progress.tasks[0].total) == (4, 10)


def test_time_stops_with_the_run(progress: Progress) -> None:
    line = line_of(progress)
    line.close()
    line.start(0, 10)
    line.close()
    assert progress.tasks[0].stop_time is not None
