"""Seeds of the experiment that are there already stay beside new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.speech_ft.joining import join, join_origins
from mergekit_speech.errors import DataError
from mergekit_speech.reports.bench import write_report
from mergekit_speech.superb.results import BenchReport
from tests.superb.benches import bench_of


def seeded(*seeds: int, digest: str = "blake3:tuned") -> BenchReport:
    """The same figures for every seed, of encoders whose digest after the first is another one in each comparison."""
    report = bench_of()
    one = [probe for probe in report.probes if probe.seed == report.seeds[0]]
    base, *others = report.encoders
    return replace(
        report,
        seeds=seeds,
        encoders=(base, *(replace(encoder, digest=f"{digest}-{encoder.label}") for encoder in others)),
        probes=tuple(replace(probe, seed=seed) for seed in seeds for probe in one),
    )


def keys(report: BenchReport) -> Sequence[tuple[str, str, int]]:
    return [(probe.encoder, probe.task, probe.seed) for probe in report.probes]


def test_a_third_seed_is_put_beside_two(tmp_path: Path) -> None:
    two, third = seeded(0, 1), seeded(2, digest="blake3:other")
    write_report(two, tmp_path / "report")
    joined = join(third, tmp_path / "report")
    assert joined.seeds == (0, 1, 2)
    assert sorted(keys(joined)) == sorted([*keys(two), *keys(third)])
    assert [probe.seed for probe in joined.probes] == sorted(probe.seed for probe in joined.probes)
    assert joined.encoders == two.encoders
    write_report(joined, tmp_path / "report", overwrite=True)
    again = join(third, tmp_path / "report")
    assert keys(again) == keys(joined)
    for probe, other in zip(again.probes, joined.probes, strict=True):
        assert all(np.array_equal(probe.rows[name], other.rows[name]) for name in other.rows)


@pytest.mark.parametrize("there", [(), (0, 1), (0,)])
def test_seeds_that_are_done_again_replace_those_that_were_there(tmp_path: Path, there: tuple[int, ...]) -> None:
    if there:
        write_report(seeded(*there, digest="blake3:old"), tmp_path / "report")
    new = seeded(0, 1)
    assert join(new, tmp_path / "report") == new


def test_seeds_of_another_base_are_not_joined(tmp_path: Path) -> None:
    new = seeded(2)
    base, *others = seeded(0, 1).encoders
    write_report(replace(seeded(0, 1), encoders=(replace(base, digest="blake3:z"), *others)), tmp_path / "report")
    with pytest.raises(DataError, match=r"report: expected seeds \[0, 1\] of the same base and ways, came others: do"):
        join(new, tmp_path / "report")


def test_where_seeds_come_from_is_kept_for_each() -> None:
    def origin(commit: str, *seeds: int) -> dict[str, Any]:
        return {"seeds": list(seeds), "commit": commit}

    assert join_origins(origin("b", 2), [origin("a", 0, 1)]) == [origin("a", 0, 1), origin("b", 2)]
    assert join_origins(origin("c", 0, 2), [origin("a", 0, 1), origin("b", 2)]) == [origin("c", 0, 2), origin("a", 1)]
