"""The scalars of a run, by the names that they have in every logger."""

from __future__ import annotations

from mergekit_speech.training.events import EvaluationEvent, StepEvent


def step_scalars(event: StepEvent) -> dict[str, float]:
    """What is logged of an optimizer step; speed in seconds of audio a second, memory in GB."""
    return {
        "train/loss": event.loss,
        "train/learning_rate": event.learning_rate,
        "train/gradient_norm": event.gradient_norm,
        "train/audio_per_second": event.audio_seconds / event.seconds,
        "train/memory_gb": event.memory / 1e9,
    }


def evaluation_scalars(event: EvaluationEvent) -> dict[str, float]:
    """What is logged of a validation."""
    return {
        **{f"valid/{name}": value for name, value in event.metrics.items()},
        **{f"base/{name}": value for name, value in event.base.items()},
    }
