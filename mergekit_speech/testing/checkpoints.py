"""Tiny checkpoints to merge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.writer import ShardWriter, lay_out

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TINY_SHAPES: Mapping[str, tuple[int, ...]] = {
    "encoder.layers.0.weight": (7, 5),
    "encoder.layers.0.bias": (7,),
    "encoder.layers.1.weight": (3, 2, 5),
    "encoder.scale": (),
}


def tiny_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    shapes: Mapping[str, tuple[int, ...]] = TINY_SHAPES,
    arrays: Mapping[str, npt.NDArray[Any]] | None = None,
    shard_size: int | None = None,
) -> Path:
    """Write a checkpoint folder of random float32 weights, a `config.json`, and nothing that needs a model.

    Args:
        folder: Where; it is made, and weights that are there already are replaced.
        seed: Of the weights.
        shapes: Shapes of the parameters by name.
        arrays: Values to write in place of random ones, of any format that a header can name.
        shard_size: Most bytes in a file; None for a single file.

    Returns:
        The folder.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn = {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}
    chosen = drawn if arrays is None else arrays
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("model*.safetensors*"):
        stale.unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "dtype": "float32"}), encoding="utf-8")
    parameters = [Parameter(name, _header_name(array.dtype), array.shape) for name, array in chosen.items()]
    metadata = {"format": "pt"}
    with ShardWriter(folder, lay_out(parameters, metadata, shard_size)) as writer:
        for name, array in chosen.items():
            writer.write(name, memoryview(array.tobytes()))
        writer.finish(metadata)
    return folder


def _header_name(dtype: np.dtype[Any]) -> str:
    if dtype.name == "bfloat16":
        return "BF16"
    return "BOOL" if dtype.kind == "b" else f"{dtype.kind.upper()}{dtype.itemsize * 8}"
