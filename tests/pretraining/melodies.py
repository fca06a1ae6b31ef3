"""Unlabelled clips that are easy to predict, and settings for an encoder small enough to train in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mergekit_speech.pretraining.settings import EncoderShape, PretrainSettings, Round
from mergekit_speech.speech.clip import SAMPLE_RATE
from tests.speech.corpus import Samples, save, tone, write_manifest

NOTES = (250.0, 600.0, 1400.0, 3200.0)
SHAPE = EncoderShape(layers=2, dim=32, heads=2, feed_forward=48, channels=16, position_kernel=16)
MINI = PretrainSettings(
    shape=SHAPE, rounds=(Round(4, 4, None), Round(5, 4, 1)), batch_seconds=3.0, learning_rate=2e-3, seed=3
)


def melody(seconds: float, seed: int) -> Samples:
    """Notes of 100 ms in an order that repeats, with a little noise, shape `(samples,)`."""
    rng = np.random.default_rng(seed)
    start = int(rng.integers(len(NOTES)))
    notes = [tone(0.1, NOTES[(start + number) % len(NOTES)]) for number in range(round(seconds * 10))]
    samples = np.concatenate(notes)
    return (samples + 0.01 * rng.standard_normal(len(samples))).astype(np.float32)


def write_melodies(data: Path, folder: str, count: int = 12, split: str = "train") -> Path:
    """Writes a corpus of melodies of 0.6 to 1.1 s."""
    rows = []
    for number in range(count):
        name, samples = f"{folder}{number}", melody(0.6 + 0.1 * (number % 6), number)
        save(data / "audio" / f"{name}.wav", samples)
        rows.append({"id": name, "duration": len(samples) / SAMPLE_RATE, "split": split})
    return write_manifest(data, folder, rows)
