"""The training loop, read from top to bottom: batches, loss, step, validation, checkpoint."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from mergekit_speech.errors import CheckpointError, DataError, Interrupted
from mergekit_speech.speech.batches import Position
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import Checkpoints
from mergekit_speech.training.disk import report_full_disk
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.interrupt import InterruptRequest
from mergekit_speech.training.learner import Learner
from mergekit_speech.training.memory_use import peak_memory
from mergekit_speech.training.settings import Goal, LoopSettings

Evaluate = Callable[[], Mapping[str, float]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended; the learner holds the best state.

    Attributes:
        best_step: Step of the best evaluation.
        best: Its metrics.
        history: Every evaluation: its `step` and its metrics.
    """

    best_step: int
    best: Mapping[str, float]
    history: Sequence[Mapping[str, float]]


class Loop:
    """Trains a learner; see `run`."""

    def __init__(
        self,
        learner: Learner,
        feed: Feed,
        settings: LoopSettings,
        evaluate: Evaluate,
        goal: Goal,
        checkpoints: Checkpoints,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Puts the parts together.

        Args:
            learner: What to train; it is moved to the device.
            feed: Batches for `learner.forward`.
            settings: Numbers.
            evaluate: Called with the learner in evaluation mode; returns at least the goal's metric.
            goal: Picks the best evaluation.
            checkpoints: Where `last` (to resume from) and `best` go.
            observers: Told of every step and evaluation.
        """
        self.accelerator = Accelerator()
        self.learner = learner.to(self.accelerator.device)
        self._feed, self._settings, self._evaluate, self._goal = feed, settings, evaluate, goal
        self._checkpoints, self._observers = checkpoints, observers
        self._optimizer = torch.optim.AdamW(
            learner.trained(), lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
        )
        self._model: nn.Module = learner
        self._done, self._position = 0, Position()
        self._history: list[dict[str, float]] = []
        self._best: dict[str, float] | None = None
        self._halved = False

    def run(self, *, resume: bool = False) -> Outcome:
        """Trains to the last step and puts the best state back into the learner.

        Args:
            resume: Continue from the last checkpoint, where there is one; the result is the uninterrupted run's.

        Raises:
            Interrupted: Ctrl-C; the state is saved.
            DataError: The loss or its gradient is not finite, or half a batch does not fit into memory.
            OutputError: The disk is full.
            CheckpointError: A checkpoint of the run to continue is damaged or gone.
        """
        if resume:
            self._restore()
        with report_full_disk("go on with the run", "free some space, then use --resume"):
            self._watched()
        return self._finish()

    def _watched(self) -> None:
        try:
            for observer in self._observers:
                observer.start(self._done, self._settings.steps)
            with InterruptRequest() as interrupt:
                self._train(interrupt)
        finally:
            for observer in self._observers:
                observer.close()

    def _train(self, interrupt: InterruptRequest) -> None:
        settings = self._settings
        batches = self._feed.batches(self._position, self._done * settings.accumulate)
        self._enter(self._done, fresh=True)
        for step in range(self._done, settings.steps):
            self._enter(step)
            event = self._step(step, batches)
            self._done = step + 1
            for observer in self._observers:
                observer.stepped(event)
            if self._done % settings.evaluate_every == 0 or self._done == settings.steps:
                self._validate()
                self._save()
            if interrupt.asked and self._done < settings.steps:
                self._save()
                raise Interrupted(f"stopped after step {self._done} of {settings.steps}; --resume continues from here")

    def _enter(self, step: int, *, fresh: bool = False) -> None:
        if self.learner.enter(step) or fresh:
            # Distributed wrappers look at requires_grad when they are built, so a new phase needs a new one.
            self._model = self.accelerator.prepare_model(self.learner)
            self._model.train()

    def _step(self, step: int, batches: Any) -> StepEvent:
        settings, started = self._settings, time.perf_counter()
        torch.manual_seed(_seed(settings.seed, step, self.accelerator.process_index))
        taken = [next(batches) for _ in range(settings.accumulate)]
        self._position = taken[-1][0]
        clips = [clip for _, heard, _ in taken for clip in heard]
        loss = self._backward_or_halve(step, [(heard, batch) for _, heard, batch in taken])
        rate = settings.learning_rate * settings.rate(step, settings.steps)
        norm = self._update(rate, clips, step)
        audio = sum(clip.duration for clip in clips)
        memory = peak_memory(self.accelerator.device)
        return StepEvent(step + 1, loss, rate, norm, audio, time.perf_counter() - started, memory)

    def _backward_or_halve(self, step: int, batches: Sequence[tuple[Sequence[Clip], Any]]) -> float:
        try:
            return self._backward(step, batches)
        except torch.OutOfMemoryError as fault:
            if self._halved:
                raise DataError(
                    f"out of memory at step {step + 1} with half a batch at a time: give a smaller --batch and a larger"
                    " --accumulate"
                ) from fault
        self._halved = True
        self._optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        _log.warning("out of memory at step %d: from here on each batch is taken in two halves", step + 1)
        return self._backward_or_halve(step, batches)

    def _backward(self, step: int, batches: Sequence[tuple[Sequence[Clip], Any]]) -> float:
        """Adds the gradients of a step's batches; returns their mean loss."""
        total = 0.0
        for place, (clips, batch) in enumerate(batches):
            for part, content in self._parts(clips, batch, step * len(batches) + place):
                with torch.autocast(
                    self.accelerator.device.type, dtype=torch.bfloat16, enabled=self._settings.precision == "bf16"
                ):
                    loss = self._model(content)
                share = len(part) / len(clips)
                total += _checked("loss", float(loss.detach()), part, step) * share
                self.accelerator.backward(loss * share / len(batches))
        return total / len(batches)

    def _parts(self, clips: Sequence[Clip], batch: Any, number: int) -> Sequence[tuple[Sequence[Clip], Any]]:
        if not self._halved or len(clips) < 2:
            return [(clips, batch)]
        return [(part, self._feed.collate(part, number)) for part in (clips[::2], clips[1::2])]

    def _update(self, rate: float, heard: Sequence[Clip], step: int) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        moving = [parameter for parameter in self.learner.parameters() if parameter.requires_grad]
        norm = _checked("gradient", float(nn.utils.clip_grad_norm_(moving, self._settings.clip_norm)), heard, step)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def _validate(self) -> None:
        self.learner.eval()
        with torch.no_grad():
            metrics = dict(self._evaluate())
        self._model.train()
        value, known = metrics[self._goal.metric], self._best
        candidate = self._done >= self._settings.candidates_from
        best = candidate and self._goal.better(value, known[self._goal.metric] if known else None)
        self._history.append({"step": self._done, **metrics})
        if best:
            self._best = self._history[-1]
            self._checkpoints.save("best", {"step": self._done, "learner": self.learner.state_dict()})
        for observer in self._observers:
            observer.evaluated(EvaluationEvent(self._done, metrics, best))

    def _save(self) -> None:
        self._checkpoints.save(
            "last",
            {
                "step": self._done,
                "position": asdict(self._position),
                "learner": self.learner.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "history": self._history,
                "best": self._best,
                "halved": self._halved,
            },
        )

    def _restore(self) -> None:
        state = self._checkpoints.load("last")
        if state is None:
            return
        self._done, self._position = state["step"], Position(**state["position"])
        self._history, self._best = state["history"], state["best"]
        self._halved = state.get("halved", False)
        self.learner.load_state_dict(state["learner"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _finish(self) -> Outcome:
        best = self._checkpoints.load("best")
        if best is None or self._best is None:
            raise CheckpointError("the best checkpoint of the run is gone: delete the run and start it again")
        self.learner.load_state_dict(best["learner"])
        self.learner.eval()
        metrics = {name: value for name, value in self._best.items() if name != "step"}
        return Outcome(best["step"], metrics, self._history)


def _checked(what: str, value: float, clips: Sequence[Clip], step: int) -> float:
    if not math.isfinite(value):
        raise DataError(
            f"the {what} is {value} at step {step + 1}, on clips {', '.join(clip.id for clip in clips)}:"
            " look at these clips or lower the learning rate"
        )
    return value


def _seed(*parts: int) -> int:
    """A seed that differs for each step and process, so that resuming needs no generator state."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
