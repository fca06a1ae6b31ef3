"""Events from hooks."""

from __future__ import annotations

import math
from typing import Any

import torch

from mergekit_speech.superb.s3prl_engine.watch import Event, Watch
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.settings import Goal


def test_a_step_sums_up_its_batches() -> None:
    events: list[Event] = []
    watch = Watch(events.append, 0.1, Goal("per", True))
    batch: dict[str, Any] = {"x_len": torch.tensor([16_000, 8_000])}
    for loss in (1.0, 3.0):
        watch.heard(None, ("train",), batch, (torch.tensor(loss), {}))
    watch.heard(None, ("valid",), batch, (torch.tensor(50.0), {}))
    watch.stepped(None, (), {})
    (event,) = events
    assert isinstance(event, StepEvent)
    assert (event.step, event.loss, event.learning_rate, event.audio_seconds) == (1, 2.0, 0.1, 3.0)
    assert math.isnan(event.gradient_norm)
    assert event.seconds > 0


def test_validations_know_the_best() -> None:
    events: list[Event] = []
    watch = Watch(events.append, 0.1, Goal("per", True))
    for value in (0.5, 0.6, 0.4):
        watch.validated(value)
    assert [event.best for event in events if isinstance(event, EvaluationEvent)] == [True, False, True]
    assert events[-1] == EvaluationEvent(0, {"per": 0.4}, True)
