"""The benchmark of layouts does its works, checks them, and has the bar of the largest parameter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import layouts
from benchmarks.checkpoints import BASE
from benchmarks.layouts import TINY, WORKS, bar_of, measure_works


def test_every_work_is_done(tmp_path: Path) -> None:
    found = measure_works(tmp_path, replace(TINY, layers=2))
    assert found.keys() == WORKS.keys()
    assert max(found.values()) < bar_of(TINY)


def test_a_wrong_value_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_another(command: list[str]) -> int:
        (tmp_path / "full" / "from_file").symlink_to(tmp_path / "full" / "tuned1")
        return 0

    monkeypatch.setattr(layouts, "measure_peak", copy_another)
    monkeypatch.setattr(layouts, "WORKS", {"one": ("convert", {})})
    with pytest.raises(SystemExit, match=r"wrong values in .*: nothing was measured"):
        measure_works(tmp_path, TINY)


def test_bar() -> None:
    # The positional convolution: 768 channels, 48 each group, 128 wide.
    assert bar_of(BASE) == int(1.1 * 4 * 768 * 48 * 128) + (64 << 20)
