"""Task arithmetic, by hand."""

from __future__ import annotations

import pytest

from tests.strategies.arrays import merge_lists

BASE, ONE, TWO = [1.0, 2.0], [2.0, 0.0], [1.0, 6.0]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [2.0, 4.0]),
        ({"lambda": 0.5}, [1.5, 3.0]),
        ({"scale": 0.0}, [1.0, 2.0]),
        ({"weight": [2.0, 1.0]}, [3.0, 2.0]),
        ({"weight": 0.5}, [1.5, 3.0]),
        ({"weight": [3.0, 1.0], "normalize": True}, [1.75, 1.5]),
        # The weights cancel out: there is nothing to divide by.
        ({"weight": [1.0, -1.0], "normalize": True}, [2.0, -4.0]),
        ({"lambda": -1.0}, [0.0, 0.0]),
    ],
)
def test_by_hand(params: dict[str, object], expected: list[float]) -> None:
    assert merge_lists("task_arithmetic", BASE, ONE, TWO, **params) == expected
