"""The k-th largest magnitude, against sorting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mergekit_speech.ops.threshold import HIGH_COUNTS, LOW_COUNTS, high_counts, join_bits, locate, low_counts, threshold

Floats = npt.NDArray[np.float32]
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 60), elements=FINITE), st.data())
def test_it_is_the_kth_of_the_sorted_magnitudes(values: Floats, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, values.size))
    expected = float(np.sort(np.abs(values))[-rank])
    assert threshold(values, rank) == expected
    assert threshold(torch.from_numpy(values), rank) == expected


@pytest.mark.parametrize("values", [[0.0, -0.0], [1.0] * 5, [1e-45, -1e-45, 0.0], [3.4e38, -3.4e38, 1.0]])
def test_zeros_ties_subnormal_and_large_values(values: list[float]) -> None:
    array = np.array(values, np.float32)
    expected = sorted(np.abs(array).tolist(), reverse=True)
    assert [threshold(array, rank) for rank in range(1, array.size + 1)] == expected


def test_counts_add_up_over_any_cut() -> None:
    values = np.random.default_rng(0).standard_normal(1001).astype(np.float32)
    parts = [values[:1], values[1:500], values[500:]]
    whole = high_counts(values)
    assert whole.shape == (HIGH_COUNTS,)
    assert np.array_equal(whole, np.sum([high_counts(part) for part in parts], axis=0))
    interval, _ = locate(whole, 10)
    low = low_counts(values, interval)
    assert low.shape == (LOW_COUNTS,)
    assert np.array_equal(low, np.sum([low_counts(part, interval) for part in parts], axis=0))


def test_locate_by_hand() -> None:
    counts = np.array([2, 0, 3, 1])
    assert [locate(counts, rank) for rank in (1, 2, 4, 5, 6)] == [(3, 1), (2, 1), (2, 3), (0, 1), (0, 2)]


def test_bits_of_one() -> None:
    assert join_bits(0x3F80, 0) == 1.0
    assert join_bits(0x3F80, 1) == float(np.nextafter(np.float32(1), np.float32(2)))
