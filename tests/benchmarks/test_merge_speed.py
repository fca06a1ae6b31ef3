"""The benchmark of `msm merge` measures processes, and never a wrong merge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.merge_speed import Cost, check_values, measure, median, merge_arguments
from benchmarks.origin import ROOT
from mergekit_speech.testing import tiny_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("base", "tuned")):
        tiny_checkpoint(tmp_path / name, seed=seed)
    subprocess.run([sys.executable, *merge_arguments(tmp_path)], check=True, cwd=ROOT)
    return tmp_path


def test_right_values_pass(folder: Path) -> None:
    check_values(folder)


def test_wrong_values_stop_it(folder: Path) -> None:
    tiny_checkpoint(folder / "merged", seed=7)
    with pytest.raises(SystemExit, match=r"wrong values in encoder\..*: nothing was measured"):
        check_values(folder)


def test_process_is_watched() -> None:
    cost = measure(["-c", "held = bytearray(60 << 20); [None for _ in range(2_000_000)]"])
    assert cost.anonymous_bytes > 50 << 20
    assert cost.cpu_seconds > 0


def test_failing_process_is_not_measured() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        measure(["-c", "raise SystemExit(3)"])


def test_median_of_each_figure() -> None:
    costs = [Cost(float(value), float(10 - value), value) for value in range(3)]
    assert median(costs) == Cost(1.0, 9.0, 2)
