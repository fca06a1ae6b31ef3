"""The benchmark of weight norm compares by hand what can be compared by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.weight_norm import CONVOLUTION, compare, read_weight
from mergekit_speech.testing import tiny_checkpoint


def test_shares_by_hand() -> None:
    base, apart, together = (np.array(each) for each in ([0.0, 2.0], [0.0, 4.0], [3.0, 4.0]))
    assert compare(apart, together, base) == {"of_values": 3 / 5, "of_change": 3 / 13**0.5}


def test_weight_is_the_effective_one(tmp_path: Path) -> None:
    arrays = {
        f"{CONVOLUTION}0": np.full((1, 1, 1), 10, np.float32),
        f"{CONVOLUTION}1": np.array([[[3]], [[4]]], np.float32),
    }
    assert read_weight(tiny_checkpoint(tmp_path / "x", arrays=arrays)).reshape(-1).tolist() == [6.0, 8.0]
