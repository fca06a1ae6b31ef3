"""Electing signs, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mergekit_speech.ops.elect import elect

WEIGHTED = np.array([[1.0, -2.0, 3.0, 1.0, 0.0], [2.0, 1.0, 0.0, -1.0, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("normalize", "weights", "expected"),
    [
        # Votes: 3, -1, 3, 0 (counts as +), 0.
        (False, [1.0, 1.0], [3.0, -2.0, 3.0, 1.0, 0.0]),
        (True, [1.0, 1.0], [1.5, -2.0, 3.0, 1.0, 0.0]),
        (True, [0.5, 2.0], [1.2, -4.0, 6.0, 2.0, 0.0]),
    ],
)
def test_by_hand(normalize: bool, weights: list[float], expected: list[float]) -> None:
    merged = elect(list(WEIGHTED), weights, normalize=normalize)
    assert merged.dtype == np.float32
    np.testing.assert_allclose(merged, expected, rtol=1e-6)
    np.testing.assert_array_equal(elect(list(torch.from_numpy(WEIGHTED)), weights, normalize=normalize).numpy(), merged)


def test_weights_that_cancel_are_not_divided_by() -> None:
    one, two = np.ones((2, 1), np.float32)
    assert elect([one, two], [1.0, -1.0], normalize=True).tolist() == [2.0]


def test_inputs_are_not_written_to() -> None:
    before = WEIGHTED.copy()
    elect(list(WEIGHTED), [1.0, 1.0], normalize=True)
    assert np.array_equal(WEIGHTED, before)
