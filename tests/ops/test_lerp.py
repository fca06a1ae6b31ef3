"""Interpolation, by hand and bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mergekit_speech.ops.lerp import lerp


def test_by_hand() -> None:
    base, one, two = (np.array(values, np.float32) for values in ([4.0, -8.0], [8.0, 0.0], [0.0, 16.0]))
    assert lerp(base, [one, two], 0.5, [0.25, 0.25]).tolist() == [4.0, 0.0]


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.25, 1 / 3, 0.9, 1.0, 1.7])
def test_bit_for_bit_the_formula_of_numpy_and_torch(alpha: float) -> None:
    rng = np.random.default_rng(0)
    base, tuned = rng.standard_normal((2, 999)).astype(np.float32)
    ours = lerp(base, [tuned], 1 - alpha, [alpha])
    assert ours.dtype == np.float32
    assert ours.tobytes() == ((1 - alpha) * base + alpha * tuned).tobytes()
    tensors = torch.from_numpy(base), torch.from_numpy(tuned)
    assert ours.tobytes() == ((1 - alpha) * tensors[0] + alpha * tensors[1]).numpy().tobytes()
    assert ours.tobytes() == lerp(tensors[0], [tensors[1]], 1 - alpha, [alpha]).numpy().tobytes()


def test_every_rounding_is_float32() -> None:
    rng = np.random.default_rng(1)
    base, tuned = rng.standard_normal((2, 99)).astype(np.float32)
    by_element = [
        np.float32(np.float32(one * np.float32(0.7)) + np.float32(two * np.float32(0.3)))
        for one, two in zip(base, tuned, strict=True)
    ]
    assert lerp(base, [tuned], 0.7, [0.3]).tolist() == [float(each) for each in by_element]
