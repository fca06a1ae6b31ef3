"""The numbers that a probe is made of, and how a bench changes SUPERB's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TypeAlias, TypeVar

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.settings import LoopSettings

N = TypeVar("N")
PerTask: TypeAlias = N | Mapping[str, N] | None
"""One number for all tasks, numbers by task, or None for SUPERB's own."""

# As many validations as Speech-FT's fine-tuning makes.
VALIDATIONS = 25


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is trained: Adam at a constant rate.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Adam's.
        clips: Clips in a batch.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
        clip_norm: Largest gradient norm.
        weight_decay: Decoupled, per unit of learning rate.
    """

    steps: int
    learning_rate: float
    clips: int
    accumulate: int
    evaluate_every: int
    clip_norm: float = 1.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Refuses numbers that make no sense.

        Raises:
            SettingsError: A count is below 1, or the rate is not above 0.
        """
        if self.clips < 1:
            raise SettingsError(f"clips must be at least 1, got {self.clips!r}")
        self.loop(seed=0)

    def loop(self, seed: int) -> LoopSettings:
        """Settings of the training loop."""
        return LoopSettings(
            steps=self.steps,
            learning_rate=self.learning_rate,
            accumulate=self.accumulate,
            clip_norm=self.clip_norm,
            weight_decay=self.weight_decay,
            evaluate_every=self.evaluate_every,
            seed=seed,
        )


@dataclass(frozen=True)
class Overrides:
    """What a bench does otherwise than SUPERB; see `ProbeSettings` for the names.

    Attributes:
        steps: Where it is given and `evaluate_every` is not, a probe is validated 25 times.
        learning_rate: The one number that SUPERB lets one choose for each encoder and task.
        clips: Clips in a batch.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
    """

    steps: PerTask[int] = None
    learning_rate: PerTask[float] = None
    clips: PerTask[int] = None
    accumulate: PerTask[int] = None
    evaluate_every: PerTask[int] = None

    def check(self, tasks: Iterable[str]) -> None:
        """Checks the names of tasks.

        Raises:
            SettingsError: A number is given for a task that is not probed.
        """
        known = list(tasks)
        for field in fields(self):
            chosen = getattr(self, field.name)
            for name in chosen if isinstance(chosen, Mapping) else ():
                if name not in known:
                    raise SettingsError(
                        f"expected {field.name} for a task among {', '.join(known)}, came {name!r}"
                        f"{suggestion(name, known)}: correct it or add the task"
                    )

    def settings(self, task: Task) -> ProbeSettings | None:
        """Fills what is not given from the task's SUPERB budget; None where the task trains no head.

        Raises:
            SettingsError: A number is out of range; the message names the task.
        """
        if not task.trains:
            return None
        budget = task.probing
        steps = _pick(self.steps, task.name)
        every = budget.evaluate_every if steps is None else max(1, steps // VALIDATIONS)
        try:
            return ProbeSettings(
                steps=_or(steps, budget.steps),
                learning_rate=_or(_pick(self.learning_rate, task.name), budget.learning_rate),
                clips=_or(_pick(self.clips, task.name), budget.clips),
                accumulate=_or(_pick(self.accumulate, task.name), budget.accumulate),
                evaluate_every=_or(_pick(self.evaluate_every, task.name), every),
                clip_norm=budget.clip_norm,
                weight_decay=budget.weight_decay,
            )
        except SettingsError as fault:
            raise SettingsError(f"task {task.name!r}: {fault}") from fault


def _pick(chosen: PerTask[N], task: str) -> N | None:
    return chosen.get(task) if isinstance(chosen, Mapping) else chosen


def _or(chosen: N | None, default: N) -> N:
    return default if chosen is None else chosen
