"""Formats and their names."""

from __future__ import annotations

import numpy as np
import pytest

from mergekit_speech.shards.dtypes import FLOAT_NAMES, FLOATS, SIZES, numpy_dtype


@pytest.mark.parametrize("name", FLOATS)
def test_sizes_are_numpys(name: str) -> None:
    assert numpy_dtype(name).itemsize == SIZES[name]
    assert numpy_dtype(name).name == FLOATS[name]
    assert FLOAT_NAMES[FLOATS[name]] == name


def test_bfloat16_rounds_to_nearest_even() -> None:
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8], np.float32)
    assert values.astype(numpy_dtype("BF16")).astype(np.float32).tolist() == [1.0, 1.0, 1 + 2**-6]
