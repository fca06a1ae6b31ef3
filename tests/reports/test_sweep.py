"""The verb `sweep`: report and picked merge in folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from mergekit_speech.errors import OutputError
from mergekit_speech.merging.merge import merge
from mergekit_speech.reports import sweep as module
from mergekit_speech.reports.sweep import save_picked, sweep
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.superb.ledger import Ledger, partial_path
from mergekit_speech.superb.results import Failure
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.sweeping.grid import Grid
from mergekit_speech.sweeping.job import Job
from mergekit_speech.sweeping.picking import Picked
from mergekit_speech.sweeping.point import SweepPoint
from mergekit_speech.sweeping.sweep import SweepReport, SweepSettings
from tests.superb.benches import bench_of
from tests.superb.corpus import FEW, corpus
from tests.sweeping.encoders import make_run

__all__ = ["corpus"]

FILES = ["curves.png", "curves.svg", "report.html", "results.json", "table.md"]


@pytest.fixture
def run(tiny_hubert: Path, tmp_path: Path) -> Path:
    return make_run(tiny_hubert, tmp_path / "run", 1)


def report_of(base: Path, run: Path, picked: str | None, failures: tuple[Failure, ...] = ()) -> SweepReport:
    """A sweep made by hand: base, tuned and one merge, probed."""
    points = (
        SweepPoint("base", alpha=0.0, tuned=(0,), end="base"),
        SweepPoint("tuned", alpha=1.0, tuned=(0,), end="tuned"),
        SweepPoint("merged", alpha=0.25),
    )
    found = bench_of()
    bench, tuned = replace(found, failures=failures), run / "encoder"
    digests = (weights_digest(base), weights_digest(tuned))
    job = Job(base, (tuned,), digests, Path("data"), ("pr", "ks"), Overrides(), extrapolate=False, seed=0, cache=0)
    best = None if picked is None else Picked(picked, "points", "best")
    return SweepReport(job, bench.encoders[:2], points, bench, best)


def test_a_sweep_leaves_a_report_and_the_picked_merge(
    tiny_hubert: Path, run: Path, corpus: Path, tmp_path: Path
) -> None:
    settings = SweepSettings(seeds=(0,), overrides=FEW)
    given: dict[str, Any] = {"data": corpus, "tasks": ["ks"], "grids": [Grid((0.25,))], "settings": settings}
    report = sweep(None, run, output=tmp_path / "report", save_best=tmp_path / "best", **given)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == FILES
    found = json.loads((tmp_path / "report" / "results.json").read_text())
    assert report.picked is not None
    assert found["picked"]["label"] == report.picked.label
    assert (tmp_path / "best" / "model.safetensors").is_file()
    assert not partial_path(tmp_path / "report").exists()
    with pytest.raises(OutputError, match=r"report exists; choose another folder, or give --overwrite"):
        sweep(None, run, output=tmp_path / "report", **given)
    with pytest.raises(OutputError, match=r"best exists; choose another folder, or give --overwrite"):
        sweep(None, run, output=tmp_path / "other", save_best=tmp_path / "best", **given)
    with pytest.raises(OutputError, match="expected an output apart from the inputs"):
        sweep(None, run, output=tmp_path / "other", save_best=run / "best", **given)


@pytest.mark.parametrize(("label", "alpha"), [("merged", 0.25), ("base", 0), ("tuned", 1)])
def test_the_picked_merge_is_written_as_merge_would(
    tiny_hubert: Path, run: Path, tmp_path: Path, label: str, alpha: float
) -> None:
    merge(None, run, output=tmp_path / "m", alpha=alpha)
    save_picked(report_of(tiny_hubert, run, label), tmp_path / "best")
    written, wanted = (load_file(tmp_path / name / "model.safetensors") for name in ("best", "m"))
    assert {name: each.tobytes() for name, each in written.items()} == {n: each.tobytes() for n, each in wanted.items()}


def test_nothing_picked_is_nothing_to_write(tiny_hubert: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"expected a picked merge to write to .*best, came none: some trials of every"
    ):
        save_picked(report_of(tiny_hubert, run, None), tmp_path / "best")


def test_what_was_done_is_kept_where_something_failed(
    tiny_hubert: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = report_of(tiny_hubert, run, "merged", (Failure("tuned", "ks", 0, "no luck"),))

    def run_sweep(*_: object, ledger: Ledger, **__: object) -> SweepReport:
        ledger.add({}, report.bench.probes[0])
        return report

    monkeypatch.setattr(module, "run_sweep", run_sweep)
    sweep(tiny_hubert, [run], data="data", tasks=["ks"], output=tmp_path / "report")
    assert partial_path(tmp_path / "report").is_file()
    text = (tmp_path / "report" / "table.md").read_text()
    assert "Picked by validation: merged (best)." in text
    assert "Its differences from base on test clips, in points of percent: PR PER" in text
    assert "KS accuracy −" in text
    assert ", worse" in text
    assert "Failed: tuned, ks: no luck" in text
