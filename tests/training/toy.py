"""A learner, batches and observers small enough to train in milliseconds."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import Checkpoints, DiskCheckpoints
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.feed import Collate, Feed
from mergekit_speech.training.learner import Learner
from mergekit_speech.training.loop import Loop
from mergekit_speech.training.recording import JsonLines
from mergekit_speech.training.settings import Goal, LoopSettings
from tests.speech.corpus import make_clip

CLIPS = [make_clip(str(number), 1 + number % 5) for number in range(10)]
GOAL = Goal("loss", lower_is_better=True)
Batch = tuple[torch.Tensor, torch.Tensor]


class Line(Learner):
    """Fits a plane, with dropout so that random numbers matter."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.plane = nn.Linear(4, 1)
        self.dropout = nn.Dropout(0.2)
        self.seen: list[torch.dtype] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        points, heights = batch
        found = self.plane(self.dropout(points))
        self.seen.append(found.dtype)
        return nn.functional.mse_loss(found.float(), heights)

    def weights(self) -> list[float]:
        return [value for parameter in self.parameters() for value in parameter.detach().flatten().tolist()]


def collate(clips: Sequence[Clip], number: int) -> Batch:
    """Points that depend on the clips and on the batch's number, and their heights."""
    rng = np.random.default_rng([number, *(int(clip.id) for clip in clips)])
    points = torch.from_numpy(rng.standard_normal((len(clips), 4)).astype(np.float32))
    return points, points.sum(dim=1, keepdim=True)


@dataclass
class Watcher:
    """An observer that remembers everything, and acts after a step if told to."""

    act: Callable[[int], None] = lambda step: None
    starts: list[tuple[int, int]] = field(default_factory=list)
    steps: list[StepEvent] = field(default_factory=list)
    evaluations: list[EvaluationEvent] = field(default_factory=list)
    closed: int = 0

    def start(self, done: int, steps: int) -> None:
        self.starts.append((done, steps))

    def stepped(self, event: StepEvent) -> None:
        self.steps.append(event)
        self.act(event.step)

    def evaluated(self, event: EvaluationEvent) -> None:
        self.evaluations.append(event)

    def close(self) -> None:
        self.closed += 1


def crash(at: int) -> Callable[[int], None]:
    """Breaks a run after a step, as a power cut does."""

    def act(step: int) -> None:
        if step == at:
            raise ConnectionError("power cut")

    return act


def press_ctrl_c(at: int) -> Callable[[int], None]:
    """Presses Ctrl-C during a step."""

    def act(step: int) -> None:
        if step == at:
            signal.raise_signal(signal.SIGINT)

    return act


def judge(learner: Line) -> Mapping[str, float]:
    """Distance of the plane from the true one."""
    weight, bias = learner.plane.weight.detach(), learner.plane.bias.detach()
    return {"loss": float((weight - 1).square().sum() + bias.square().sum())}


def build(
    checkpoints: Checkpoints | Path,
    *observers: Observer,
    learner: Line | None = None,
    collate: Collate = collate,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    **changes: Any,
) -> Loop:
    """A loop over the toy; a folder in place of checkpoints gets `metrics.jsonl` too."""
    settings = LoopSettings(**{"steps": 10, "learning_rate": 0.05, "evaluate_every": 4, "seed": 1, **changes})
    trained = learner or Line()
    watching = list(observers)
    if isinstance(checkpoints, Path):
        checkpoints.mkdir(parents=True, exist_ok=True)
        watching.insert(0, JsonLines(checkpoints / "metrics.jsonl"))
        checkpoints = DiskCheckpoints(checkpoints / "checkpoints")
    return Loop(
        trained,
        Feed(ClipStream(CLIPS, BatchLimits(clips=3), settings.seed), collate),
        settings,
        evaluate or (lambda: judge(trained)),
        GOAL,
        checkpoints,
        watching,
    )


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Lines of `metrics.jsonl` without what the machine decides: wall time and memory."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "waited", "memory")} for row in rows]
