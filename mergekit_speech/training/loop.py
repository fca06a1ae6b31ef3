"""The training loop, read from top to bottom: batches, loss, step, validation, checkpoint."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from mergekit_speech.errors import CheckpointError, DataError, Interrupted
from mergekit_speech.speech.batches import Position
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import Checkpoints
from mergekit_speech.training.disk import report_full_disk
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.feed import Feed, own
from mergekit_speech.training.interrupt import InterruptRequest
from mergekit_speech.training.learner import Learner
from mergekit_speech.training.memory_use import peak_memory
from mergekit_speech.training.open_replica import open_replica
from mergekit_speech.training.precision import autocast, warn_if_slow
from mergekit_speech.training.ranks import first, gathered, launched, processes, share
from mergekit_speech.training.settings import Goal, LoopSettings

Evaluate = Callable[[], Mapping[str, float]]
Heard = tuple[Sequence[Clip], Any]
"""The clips of a whole batch, and the content of this process's share of it."""
Batch = tuple[Position, Sequence[Clip], Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended; the learner holds the best state.

    Attributes:
        best_step: Step of the best evaluation.
        best: Its metrics.
        history: Every evaluation: its `step` and its metrics.
        waited: Share of the time of the steps, in [0, 1], in which the loop waited for batches.
    """

    best_step: int
    best: Mapping[str, float]
    history: Sequence[Mapping[str, float]]
    waited: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Part:
    """What one pass through the model learns from: this process's share of a batch, or a half of it.

    Attributes:
        clips: What it holds.
        content: As the learner takes it.
        items: What its loss is the mean over; 0 where the clips are another process's too.
        samples: Width with padding, in samples.
    """

    clips: Sequence[Clip]
    content: Any
    items: int
    samples: int


def never(_step: int) -> bool:
    """Of no step."""
    return False


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
        looks: Callable[[int], bool] = never,
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
            looks: Whether something looks at the learner's weights after a step, counted from 1, that no evaluation
                follows.
        """
        self.learner, self._replica = learner, open_replica(learner, settings)
        self._feed, self._settings, self._evaluate, self._goal = feed, settings, evaluate, goal
        self._checkpoints, self._observers, self._looks = checkpoints, observers, looks
        self._scaler = torch.amp.GradScaler(self._replica.device.type, enabled=settings.precision == "fp16")
        self._done, self._used, self._position = 0, 0, Position()
        self._waited = self._spent = 0.0
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
        if first():
            warn_if_slow(self._replica.device, self._settings.precision)
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
        batches = self._feed.batches(self._position, self._used)
        self._enter(self._done, fresh=True)
        for step in range(self._done, settings.steps):
            self._enter(step)
            event = self._step(step, batches)
            self._done = step + 1
            judged = self._done % settings.evaluate_every == 0 or self._done == settings.steps
            if judged or self._looks(self._done):
                self._replica.collect()
            for observer in self._observers:
                observer.stepped(event)
            if judged:
                self._validate()
                self._save()
            self._replica.leave()
            if any(gathered([interrupt.asked])) and self._done < settings.steps:
                self._replica.collect()
                self._save()
                raise Interrupted(f"stopped after step {self._done} of {settings.steps}; --resume continues from here")

    def _enter(self, step: int, *, fresh: bool = False) -> None:
        if self.learner.enter(step) or fresh:
            self._replica.build()
            self._replica.model.train()

    def _step(self, step: int, batches: Iterator[Batch]) -> StepEvent:
        settings, started = self._settings, time.perf_counter()
        taken = self._take(batches)
        waited = time.perf_counter() - started
        self._position = taken[-1][0]
        heard = [(clips, batch) for _, clips, batch in taken]
        loss, norm = self._gradients(step, heard)
        self._used += len(taken)
        rate = settings.learning_rate * settings.rate(step, settings.steps)
        self._update(rate)
        audio, took = sum(_seconds(clips) for clips, _ in heard), time.perf_counter() - started
        self._waited, self._spent = self._waited + waited, self._spent + took
        memory = peak_memory(self._replica.device)
        return StepEvent(step + 1, loss, rate, norm, audio, took, waited, memory)

    def _take(self, batches: Iterator[Batch]) -> Sequence[Batch]:
        taken: list[Batch] = []
        while not self._settings.fill(len(taken), sum(_seconds(clips) for _, clips, _ in taken)):
            taken.append(next(batches))
        return taken

    def _gradients(self, step: int, batches: Sequence[Heard]) -> tuple[float, float]:
        """Leaves a step's clipped gradients; returns its loss and their norm before clipping."""
        while True:
            torch.manual_seed(_seed(self._settings.seed, step, processes().process_index))
            loss = self._backward_or_halve(step, batches)
            self._scaler.unscale_(self._replica.optimizer)
            norm = self._replica.clip(self._settings.clip_norm)
            if math.isfinite(norm) or not self._scaler.is_enabled() or self._scaler.get_scale() <= 1:
                return loss, _checked("gradient", norm, [clip for clips, _ in batches for clip in clips], step)
            # Scaled gradients may exceed fp16 where they themselves do not: once more, then, with half the scale.
            self._scaler.update()
            self._replica.optimizer.zero_grad(set_to_none=True)

    def _backward_or_halve(self, step: int, batches: Sequence[Heard]) -> float:
        try:
            return self._backward(step, batches)
        except torch.OutOfMemoryError as fault:
            # Several processes cannot start a step again, since the others are in the midst of it.
            if self._halved or launched():
                part = "half a batch at a time" if self._halved else "several processes"
                raise DataError(
                    f"out of memory at step {step + 1} with {part}: give a smaller --batch and a larger --accumulate"
                ) from fault
        self._halved = True
        self._replica.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        _log.warning("out of memory at step %d: from here on each batch is taken in two halves", step + 1)
        return self._backward_or_halve(step, batches)

    def _backward(self, step: int, batches: Sequence[Heard]) -> float:
        """Adds the gradients of a step's batches, each weighted by its clips; returns their mean loss."""
        clips = sum(len(heard) for heard, _ in batches)
        parts = [self._parts(heard, batch, self._used + place) for place, (heard, batch) in enumerate(batches)]
        sizes = gathered([[(part.items, part.samples) for part in each] for each in parts])
        total, last = 0.0, parts[-1][-1]
        for place, each in enumerate(parts):
            alike = [size for part in sizes[place :: len(parts)] for size in part]
            share = len(batches[place][0]) / clips / max(1, sum(items for items, _ in alike))
            for part in each:
                with self._replica.part(last=part is last):
                    content = self.learner.widened(part.content, max(samples for _, samples in alike))
                    total += self._learn(part, content, share * part.items, step)
        return math.fsum(gathered([total]))

    def _learn(self, part: Part, content: Any, share: float, step: int) -> float:
        with autocast(self._replica.device, self._settings.precision):
            loss = self._replica.model(content)
        value = _checked("loss", float(loss.detach()), part.clips, step) * share
        # DDP takes the mean over processes, where this needs the sum.
        self._scaler.scale(loss * share * processes().num_processes).backward()
        return value

    def _parts(self, clips: Sequence[Clip], batch: Any, number: int) -> Sequence[Part]:
        mine = own(clips)
        if self._halved and len(mine) > 1:
            halves = [(half, self._feed.collate(half, number)) for half in (mine[::2], mine[1::2])]
        else:
            halves = [(mine, batch)]
        idle = not share(clips)
        return [
            Part(half, content, 0 if idle else self.learner.items(content, half), self.learner.samples(content))
            for half, content in halves
        ]

    def _update(self, rate: float) -> None:
        for group in self._replica.optimizer.param_groups:
            group["lr"] = rate
        self._scaler.step(self._replica.optimizer)
        self._scaler.update()
        self._replica.optimizer.zero_grad(set_to_none=True)

    def _validate(self) -> None:
        self.learner.eval()
        with torch.no_grad():
            metrics = dict(self._evaluate())
        self._replica.model.train()
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
                "used": self._used,
                "position": asdict(self._position),
                "learner": self.learner.state_dict(),
                "optimizer": self._replica.optimizer_state(),
                "scaler": self._scaler.state_dict(),
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
        self._used = state.get("used", self._done * self._settings.accumulate)
        self._halved = state.get("halved", False)
        self._scaler.load_state_dict(state.get("scaler", self._scaler.state_dict()))
        self.learner.load_state_dict(state["learner"])
        self._replica.load_optimizer(state["optimizer"])

    def _finish(self) -> Outcome:
        best = self._checkpoints.load("best")
        if best is None or self._best is None:
            raise CheckpointError("the best checkpoint of the run is gone: delete the run and start it again")
        self.learner.load_state_dict(best["learner"])
        self.learner.to(self._replica.device).eval()
        metrics = {name: value for name, value in self._best.items() if name != "step"}
        return Outcome(best["step"], metrics, self._history, self._waited / self._spent if self._spent else 0.0)


def _checked(what: str, value: float, clips: Sequence[Clip], step: int) -> float:
    if not math.isfinite(value):
        raise DataError(
            f"the {what} is {value} at step {step + 1}, on clips {', '.join(clip.id for clip in clips)}:"
            " look at these clips or lower the learning rate"
        )
    return value


def _seconds(clips: Sequence[Clip]) -> float:
    return sum(clip.duration for clip in clips)


def _seed(*parts: int) -> int:
    """A seed that differs for each step and process, so that resuming needs no generator state."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
