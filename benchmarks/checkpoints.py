"""Checkpoints to measure on: the shapes of real encoders, filled with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from mergekit_speech.testing import tiny_checkpoint

# Longer than any parameter but the widest: values repeat only between parameters.
POOL = 1 << 23
SPREAD = 0.05
MOVED = 0.01


@dataclass(frozen=True)
class Kind:
    """What a checkpoint looks like.

    Attributes:
        title: For tables.
        layers: Number of transformer layers.
        width: Of the hidden states; feed-forward layers are four times as wide.
        dtype: "float32" or "bfloat16".
        shard_size: Most bytes in a file; None for a single file.
        widest: Elements of one more parameter; 0 for none.
    """

    title: str
    layers: int
    width: int = 768
    dtype: str = "float32"
    shard_size: int | None = None
    widest: int = 0

    def config(self) -> Any:
        """Give the configuration of a HuBERT of that size."""
        from transformers import HubertConfig

        return HubertConfig(
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            intermediate_size=4 * self.width,
            num_attention_heads=self.width // 64,
            architectures=["HubertModel"],
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the parameters by name, from the configuration of a HuBERT; no weights are made."""
        import torch
        from transformers import HubertModel

        with torch.device("meta"):
            model = HubertModel(self.config())
        found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        return found | ({"wide.weight": (self.widest // 1024, 1024)} if self.widest else {})


BASE = Kind("HuBERT Base, fp32, 378 MB", layers=12)
LARGE = Kind("1.2 GB, bf16, 6 shards", layers=47, width=1024, dtype="bfloat16", shard_size=205_000_000)
WIDE = Kind("fp32 with one parameter of 200 MB", layers=1, widest=50 << 20)
SMALL = Kind("HuBERT Base with one layer, fp32", layers=1)


def write_encoders(folder: Path, kind: Kind, tuned: int) -> list[Path]:
    """Write a base and tuned encoders, whose deltas are a fifth of the base's size.

    Args:
        folder: Where; each gets a folder in it.
        kind: What they look like.
        tuned: Number of tuned encoders.

    Returns:
        Their folders, the base first.
    """
    pool = np.tile(np.random.default_rng(0).standard_normal(POOL, np.float32) * np.float32(SPREAD), 2)
    shapes = kind.shapes()
    return [
        tiny_checkpoint(folder / _name(number), arrays=_fill(shapes, pool, number, kind), shard_size=kind.shard_size)
        for number in range(tuned + 1)
    ]


def size_of(folder: Path) -> int:
    """Add up the bytes of a checkpoint's files of weights."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _name(number: int) -> str:
    return f"tuned{number}" if number else "base"


def _fill(
    shapes: dict[str, tuple[int, ...]], pool: npt.NDArray[np.float32], number: int, kind: Kind
) -> dict[str, npt.NDArray[np.generic]]:
    dtype = np.dtype(ml_dtypes.bfloat16 if kind.dtype == "bfloat16" else np.float32)
    filled = {}
    for place, (name, shape) in enumerate(shapes.items()):
        values = _window(pool, place, shape)
        if number:
            values = values + np.float32(MOVED / SPREAD) * _window(pool, place + 7919 * number, shape)
        filled[name] = values.astype(dtype)
    return filled


def _window(pool: npt.NDArray[np.float32], place: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    start = place * 104_729 % POOL
    return np.resize(pool[start : start + min(prod(shape), POOL)], shape)
