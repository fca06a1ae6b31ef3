"""Trimming at a threshold."""

from __future__ import annotations

import numpy as np
import torch

from mergekit_speech.ops.trim import trim

DELTA = np.array([-3.0, 0.5, 2.0, -2.0, 0.0], np.float32)


def test_threshold_itself_is_kept() -> None:
    assert trim(DELTA, 2.0).tolist() == [-3.0, 0.0, 2.0, -2.0, 0.0]
    assert trim(torch.from_numpy(DELTA), 2.0).tolist() == [-3.0, 0.0, 2.0, -2.0, 0.0]


def test_infinite_threshold_keeps_nothing() -> None:
    assert not trim(DELTA, float("inf")).any()
