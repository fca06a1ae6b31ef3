"""Makes events of what s3prl does, which tells nobody but its log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from mergekit_speech.speech.clip import SAMPLE_RATE
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.settings import Goal

Event = StepEvent | EvaluationEvent


class Watch:
    """Hooks for a task and an optimizer of s3prl."""

    def __init__(self, send: Callable[[Event], None], rate: float, goal: Goal) -> None:
        """Starts at step 0.

        Args:
            send: Gets the events.
            rate: The learning rate, which is constant.
            goal: The metric that picks the checkpoint, by the toolkit's name.
        """
        self._send, self._rate, self._goal = send, rate, goal
        self._done, self._losses, self._samples = 0, list[float](), 0
        self._since = time.perf_counter()
        self._best: float | None = None

    def heard(self, task: Any, words: tuple[Any, ...], batch: Mapping[str, Any], output: tuple[Any, Any]) -> None:
        """A task has computed a batch; a forward hook with keywords."""
        if words[0] == "train":
            self._losses.append(float(output[0].detach()))
            self._samples += int(batch["x_len"].sum())

    def stepped(self, *optimizer: Any) -> None:
        """An optimizer has made a step; its post hook. s3prl keeps the gradient's norm to itself."""
        self._done += 1
        now, loss = time.perf_counter(), sum(self._losses) / len(self._losses)
        seconds, audio = now - self._since, self._samples / SAMPLE_RATE
        self._since, self._losses, self._samples = now, [], 0
        self._send(StepEvent(self._done, loss, self._rate, math.nan, audio, seconds))

    def validated(self, value: float) -> None:
        """The checkpoint of now has this value of the goal's metric on the validation split."""
        best = self._goal.better(value, self._best)
        self._best = value if best else self._best
        self._send(EvaluationEvent(self._done, {self._goal.metric: value}, best))
        self._since = time.perf_counter()
