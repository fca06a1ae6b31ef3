"""The numbers that a fine-tuning run is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.method import STABLE, Method
from mergekit_speech.finetuning.schedule import HEAD_ONLY, stable_rate, thaw_step
from mergekit_speech.speech.batches import BatchLimits
from mergekit_speech.tasks.parts.task import Budget
from mergekit_speech.training.settings import LoopSettings, Precision


@dataclass(frozen=True)
class FinetuneSettings:
    """How to fine-tune.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Adam's peak rate, of encoder and head alike.
        clips: Clips in a batch; None for as many as `batch_seconds` allows.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
        head_only: Fraction of the steps that update the head alone, in [0, 1).
        precision: Arithmetic of the forward pass; weights stay in float32.
        seed: Decides head, order and dropout.
        method: What is done otherwise than stable fine-tuning.
        batch_seconds: Audio in a batch with its padding, seconds; None for as much as there is in `clips`.
        accumulate_seconds: Audio in a step, seconds: batches are added until there is as much; `accumulate` is 1.
        gradient_checkpointing: Compute layers again in the backward pass in place of keeping them: less memory, more
            time, the same result.
        compiled: Compile the encoder by torch.compile.
        workers: Threads that read clips ahead; their number does not change a result.
    """

    steps: int
    learning_rate: float
    clips: int | None
    accumulate: int
    evaluate_every: int
    head_only: float = HEAD_ONLY
    precision: Precision = "fp32"
    seed: int = 0
    method: Method = STABLE
    batch_seconds: float | None = None
    accumulate_seconds: float | None = None
    gradient_checkpointing: bool = False
    compiled: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuses counts below 1; `loop` and `limits` check the rest.

        Raises:
            SettingsError: A count is below 1, or a step is limited twice.
        """
        for name in ("steps", "clips"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if self.accumulate_seconds is not None and self.accumulate != 1:
            raise SettingsError(
                f"a step is so many batches or so many seconds, got accumulate {self.accumulate!r} and"
                f" accumulate_seconds {self.accumulate_seconds!r}: leave out one of them"
            )

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
        batch_seconds: float | None = None,
        accumulate_seconds: float | None = None,
        gradient_checkpointing: bool = False,
        compiled: bool = False,
        workers: int = 1,
    ) -> FinetuneSettings:
        """Fills what is None from a task's budget; with other steps it is validated 25 times, as the paper does.

        Seconds of a batch or a step take the place of the budget's clips or batches.
        """
        if batch_seconds is None and clips is None:
            clips = budget.clips
        if accumulate is None:
            accumulate = budget.accumulate if accumulate_seconds is None else 1
        chosen = budget.steps if steps is None else steps
        return cls(
            steps=chosen,
            learning_rate=budget.learning_rate if learning_rate is None else learning_rate,
            clips=clips,
            accumulate=accumulate,
            evaluate_every=evaluate_every or (budget.evaluate_every if steps is None else max(10, steps // 25)),
            head_only=head_only,
            precision=precision,
            seed=seed,
            method=method,
            batch_seconds=batch_seconds,
            accumulate_seconds=accumulate_seconds,
            gradient_checkpointing=gradient_checkpointing,
            compiled=compiled,
            workers=workers,
        )

    @property
    def limits(self) -> BatchLimits:
        """Size of a batch.

        Raises:
            SettingsError: It is not above 0.
        """
        return BatchLimits(seconds=self.batch_seconds, clips=self.clips)

    def document(self) -> dict[str, Any]:
        """Plain data for a record: what decides the result, and of what is off by default only what is on."""
        content = {**asdict(self), "method": self.method.document()}
        del content["workers"]
        return {name: value for name, value in content.items() if value is not None and value is not False}

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
            accumulate_seconds=self.accumulate_seconds,
            evaluate_every=self.evaluate_every,
            # Until the thaw the encoder is its base, so no evaluation before it can choose a tuned one.
            candidates_from=self.thaw + 1,
            precision=self.precision,
            seed=self.seed,
        )
