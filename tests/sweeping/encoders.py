"""Tuned encoders for the tests of sweeps: the tiny HuBERT with noise on its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from mergekit_speech.shards.digest import weights_digest


def tune(base: Path, folder: Path, seed: int, *, size: float = 0.005) -> Path:
    """Makes a tuned encoder."""
    shutil.copytree(base, folder)
    rng = np.random.default_rng(seed)
    state = load_file(base / "model.safetensors")
    moved = {name: (each + size * rng.normal(size=each.shape)).astype(each.dtype) for name, each in state.items()}
    save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make_run(base: Path, folder: Path, seed: int, digest: str | None = None) -> Path:
    """Makes what is left of a run: a tuned encoder, and the record that names its base."""
    tune(base, folder / "encoder", seed)
    record = {"base": {"path": str(base), "digest": digest or weights_digest(base)}}
    (folder / "record.json").write_text(json.dumps(record))
    return folder
