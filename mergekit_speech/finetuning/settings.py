"""The numbers that a fine-tuning run is made of."""

from __future__ import annotations

from dataclasses import dataclass

from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.method import STABLE, Method
from mergekit_speech.finetuning.schedule import HEAD_ONLY, stable_rate, thaw_step
from mergekit_speech.tasks.parts.task import Budget
from mergekit_speech.training.settings import LoopSettings, Precision


@dataclass(frozen=True)
class FinetuneSettings:
    """How to fine-tune.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Adam's peak rate, of encoder and head alike.
        clips: Clips in a batch.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
        head_only: Fraction of the steps that update the head alone, in [0, 1).
        precision: Arithmetic of the forward pass; weights stay in float32.
        seed: Decides head, order and dropout.
        method: What is done otherwise than stable fine-tuning.
    """

    steps: int
    learning_rate: float
    clips: int
    accumulate: int
    evaluate_every: int
    head_only: float = HEAD_ONLY
    precision: Precision = "fp32"
    seed: int = 0
    method: Method = STABLE

    def __post_init__(self) -> None:
        """Refuses counts below 1; `loop` checks the rest.

        Raises:
            SettingsError: A count is below 1.
        """
        for name in ("steps", "clips"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")

    @classmethod
    def of(
        cls,
        budget: Budget,
        *,
        steps: int | None = None,
        learning_rate: float | None = None,
        clips: int | None = None,
        accumulate: int | None = None,
        evaluate_every: int | None = None,
        head_only: float = HEAD_ONLY,
        precision: Precision = "fp32",
        seed: int = 0,
        method: Method = STABLE,
    ) -> FinetuneSettings:
        """Fills what is None from a task's budget; with other steps it is validated 25 times, as the paper does."""
        chosen = budget.steps if steps is None else steps
        return cls(
            steps=chosen,
            learning_rate=budget.learning_rate if learning_rate is None else learning_rate,
            clips=budget.clips if clips is None else clips,
            accumulate=budget.accumulate if accumulate is None else accumulate,
            evaluate_every=evaluate_every or (budget.evaluate_every if steps is None else max(10, steps // 25)),
            head_only=head_only,
            precision=precision,
            seed=seed,
            method=method,
        )

    @property
    def thaw(self) -> int:
        """First step, counted from 0, that updates the encoder.

        Raises:
            SettingsError: `head_only` is out of range, or leaves the encoder no step.
        """
        return thaw_step(self.steps, self.head_only)

    def loop(self) -> LoopSettings:
        """Settings of the training loop.

        Raises:
            SettingsError: A number is out of range.
        """
        return LoopSettings(
            steps=self.steps,
            learning_rate=self.learning_rate,
            rate=stable_rate(self.head_only),
            accumulate=self.accumulate,
            evaluate_every=self.evaluate_every,
            # Until the thaw the encoder is its base, so no evaluation before it can choose a tuned one.
            candidates_from=self.thaw + 1,
            precision=self.precision,
            seed=self.seed,
        )
