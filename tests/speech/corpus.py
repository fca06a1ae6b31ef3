"""Small corpora, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from mergekit_speech.speech.clip import SAMPLE_RATE, Clip

Samples = npt.NDArray[np.float32]


def tone(seconds: float, hertz: float = 440.0, rate: int = SAMPLE_RATE) -> Samples:
    """A sine of half the full scale, shape `(samples,)`."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, seed: int = 0) -> Samples:
    """White noise at 16 kHz, shape `(samples,)`."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))
    return (0.1 * drawn).astype(np.float32)


def save(path: Path, samples: npt.NDArray[np.floating], rate: int = SAMPLE_RATE, subtype: str | None = None) -> Path:
    """Writes a recording; the suffix names the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def make_clip(name: str = "a", duration: float = 1.0, split: str = "train", **fields: object) -> Clip:
    """A clip of which only the manifest's line exists."""
    return Clip(name, Path(f"{name}.wav"), duration, split, fields, f"manifest.jsonl:{name}")


def saved_clip(folder: Path, name: str, samples: Samples, **fields: object) -> Clip:
    """A clip with its recording."""
    path = save(folder / f"{name}.wav", samples)
    return Clip(name, path, len(samples) / SAMPLE_RATE, "train", fields, f"manifest.jsonl:{name}")


def write_manifest(data: Path, folder: str, rows: Sequence[Mapping[str, object]]) -> Path:
    """Writes `data/folder/manifest.jsonl`; what a row leaves out is filled in."""
    path = data / folder / "manifest.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(fill(number, row), ensure_ascii=False) for number, row in enumerate(rows, start=1)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def fill(number: int, row: Mapping[str, object]) -> dict[str, object]:
    """A row with everything that a manifest must have."""
    name = str(row.get("id", f"clip{number}"))
    return {"id": name, "path": f"audio/{name}.wav", "duration": 1.0, "split": "train", **row}
