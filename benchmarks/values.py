"""Merged values, checked before anything is measured: a wrong merge has no speed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mergekit_speech.shards.reader import Weights, open_checkpoint

Array: TypeAlias = npt.NDArray[np.float32]
# Elements whose magnitudes are equal at the threshold of TIES: which of them are kept is up to the tool.
MOST_TIED = 1e-4
TOLERANCE = 1e-6


def read_values(folder: Path) -> Iterator[tuple[str, Array]]:
    """Give every parameter of a checkpoint, as float32, in the order of their names."""
    import ml_dtypes

    checkpoint = open_checkpoint(folder)
    with Weights(checkpoint) as weights:
        for name, parameter in sorted(checkpoint.parameters.items()):
            dtype = np.dtype(ml_dtypes.bfloat16 if parameter.dtype == "BF16" else np.float32)
            array = np.empty(parameter.elements, dtype)
            weights.read_into(name, array.view(np.uint8).data)
            yield name, array.astype(np.float32).reshape(parameter.shape)


def check_linear(encoders: Sequence[Path], merged: Path, alpha: float) -> None:
    """Compare a merge of one tuned encoder, bit for bit, with the formula on whole arrays.

    Raises:
        SystemExit: A parameter differs.
    """
    import ml_dtypes

    formats = {name: each.dtype for name, each in open_checkpoint(encoders[0]).parameters.items()}
    for (name, base), (_, tuned), (_, found) in zip(*map(read_values, (*encoders, merged)), strict=True):
        expected = np.float32(1 - alpha) * base + np.float32(alpha) * tuned
        if formats[name] == "BF16":
            expected = expected.astype(ml_dtypes.bfloat16).astype(np.float32)
        if not np.array_equal(expected, found):
            raise SystemExit(f"wrong values in {name}: nothing was measured")


def check_same(ours: Path, theirs: Mapping[str, Path]) -> None:
    """Compare what tools wrote, to float32 tolerance.

    Args:
        ours: Folder of the merged encoder of this project.
        theirs: The same of other tools, by name.

    Raises:
        SystemExit: Two differ.
    """
    for tool, folder in theirs.items():
        expected = dict(read_values(folder))
        for name, found in read_values(ours):
            largest = float(np.abs(expected[name]).max())
            wrong = float((np.abs(found - expected[name]) > TOLERANCE * largest).mean())
            if wrong > MOST_TIED:
                raise SystemExit(f"{wrong:.2%} of {name} differ from {tool}: nothing was measured")
