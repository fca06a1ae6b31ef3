"""Weight norm by hand, and beside torch's."""

from __future__ import annotations

import numpy as np
import torch

from mergekit_speech.ops.weight_norm import weight_lengths, weight_norm


def test_by_hand() -> None:
    direction = np.array([[3.0, 0.0], [4.0, 2.0]], np.float32)
    weight = weight_norm(np.array([[10.0, 1.0]], np.float32), direction)
    assert weight.tolist() == [[6.0, 0.0], [8.0, 1.0]]
    assert weight_lengths(weight, (1, 2)).tolist() == [[10.0, 1.0]]


def test_what_has_no_direction_is_zero() -> None:
    assert weight_norm(np.ones((1, 1), np.float32), np.zeros((2, 1), np.float32)).tolist() == [[0.0], [0.0]]


def test_numpy_and_torch_agree_with_torch_itself() -> None:
    rng = np.random.default_rng(0)
    direction, length = (np.asarray(rng.standard_normal(shape), np.float32) for shape in ((8, 4, 6), (1, 1, 6)))
    ours = weight_norm(length, direction)
    with_torch = weight_norm(torch.from_numpy(length), torch.from_numpy(direction))
    theirs = torch._weight_norm(torch.from_numpy(direction), torch.from_numpy(length), dim=2)
    assert ours.dtype == np.float32
    assert torch.equal(with_torch, torch.from_numpy(ours))
    assert torch.allclose(with_torch, theirs, atol=1e-6)
    assert torch.equal(weight_lengths(with_torch, (1, 1, 6)), torch.from_numpy(weight_lengths(ours, (1, 1, 6))))
