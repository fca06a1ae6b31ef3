"""The weighted sum of deltas, by hand."""

from __future__ import annotations

import numpy as np
import torch

from mergekit_speech.ops.delta_sum import delta_sum


def test_by_hand() -> None:
    base, one, two = (np.array(values, np.float32) for values in ([1.0, 2.0], [3.0, 2.0], [1.0, -2.0]))
    assert delta_sum(base, [one, two], [0.5, 2.0]).tolist() == [1.0, -8.0]


def test_no_encoder_gives_zero() -> None:
    assert delta_sum(np.ones(3, np.float32), [], []).tolist() == [0.0, 0.0, 0.0]


def test_numpy_and_torch_agree_bit_for_bit() -> None:
    base, one, two = np.random.default_rng(0).standard_normal((3, 77)).astype(np.float32)
    tensors = [torch.from_numpy(each) for each in (base, one, two)]
    ours = delta_sum(base, [one, two], [0.3, 0.7])
    assert ours.tobytes() == delta_sum(tensors[0], tensors[1:], [0.3, 0.7]).numpy().tobytes()
