"""Whole sweeps on the toy corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mergekit_speech.encoders.pretrained import PretrainedEncoder, load_encoder
from mergekit_speech.errors import (
    CheckpointError,
    DataError,
    EngineError,
    Interrupted,
    MsmError,
    PairingError,
    SettingsError,
    StrategyError,
)
from mergekit_speech.reports.folder import finite
from mergekit_speech.reports.schema import results_schema
from mergekit_speech.shards.reader import Checkpoint, Weights
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.results import Failure, ProbeResult
from mergekit_speech.superb.training import train_probe
from mergekit_speech.superb.watching import Silent
from mergekit_speech.sweeping import cluster, merged_encoder, trials
from mergekit_speech.sweeping.document import document
from mergekit_speech.sweeping.grid import Grid
from mergekit_speech.sweeping.sweep import SweepReport, SweepSettings, run_sweep
from mergekit_speech.training.events import Observer
from mergekit_speech.training.settings import Goal
from tests.conftest import save_tiny_encoder
from tests.superb.corpus import FEW
from tests.sweeping.encoders import make_run

SETTINGS = SweepSettings(seeds=(0, 1), overrides=FEW)
HALF = (Grid((0.0, 0.5, 1.0)),)


class Watching(Silent):
    """Writes down what it is told; on request, presses Ctrl-C before a probe."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done: list[str] = []
        self.again: list[str] = []
        self.heard: list[str] = []
        self.failures: list[Failure] = []
        self._stop_after = stop_after

    def encoding(self, encoder: str, clips: int) -> None:
        self.heard.append(encoder)

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        if self._stop_after == len(self.done):
            raise KeyboardInterrupt
        return ()

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        (self.again if resumed else self.done).append(f"{result.encoder} {result.task} {result.seed} {done}/{total}")

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)


def sweep(runs: Sequence[Path], data: Path, tasks: Sequence[str] = ("ks", "pr"), **given: Any) -> SweepReport:
    return run_sweep(None, runs, data, tasks, **{"grids": HALF, "settings": SETTINGS, **given})


def figures(probes: Sequence[ProbeResult]) -> list[ProbeResult]:
    return [replace(probe, seconds=0) for probe in probes]


@pytest.fixture(scope="module")
def whole(runs: tuple[Path, Path], corpus: Path) -> tuple[SweepReport, Watching]:
    """A sweep of one run, and what its watcher was told."""
    watching = Watching()
    return sweep(runs[:1], corpus, watcher=watching), watching


def test_every_point_task_and_seed_is_probed_once(whole: tuple[SweepReport, Watching]) -> None:
    report, watching = whole
    labels = ["base", "one", "linear α=0.5"]
    assert [point.label for point in report.points] == labels
    wanted = [f"{label} {task} {seed}" for label in labels for task in ("ks", "pr") for seed in (0, 1)]
    assert watching.done == [f"{trial} {number}/12" for number, trial in enumerate(wanted, start=1)]
    assert [f"{p.encoder} {p.task} {p.seed}" for p in report.bench.probes] == wanted


def test_hidden_states_of_a_point_serve_all_of_its_trials(whole: tuple[SweepReport, Watching]) -> None:
    assert whole[1].heard == ["base", "one", "linear α=0.5"]


def test_ends_have_the_figures_of_a_bench(
    whole: tuple[SweepReport, Watching], tiny_hubert: Path, runs: tuple[Path, Path], corpus: Path
) -> None:
    bench = run_bench([f"base={tiny_hubert}", runs[0]], corpus, ["ks", "pr"], seeds=(0, 1), overrides=FEW)
    assert figures(whole[0].bench.probes[:8]) == figures(bench.probes)
    assert whole[0].ends == bench.encoders


def test_the_document_is_as_published(whole: tuple[SweepReport, Watching]) -> None:
    found = finite(document(whole[0]))
    jsonschema.validate(found, results_schema())
    assert [(point["label"], point["alpha"], point["end"]) for point in found["points"]] == [
        ("base", 0, "base"),
        ("one", 1, "tuned"),
        ("linear α=0.5", 0.5, None),
    ]
    rows = found["points"][2]["figures"]
    assert [(row["task"], row["metric"], row["split"]) for row in rows] == [
        ("ks", "acc", "test"),
        ("pr", "per", "test"),
        ("ks", "acc", "valid"),
        ("pr", "per", "valid"),
    ]
    assert all((row["delta"] is not None) == (row["split"] == "test") for row in rows)
    assert found["points"][0]["score"]["delta"] is None
    assert found["picked"]["by"] == "valid"
    assert found["picked"]["label"] in ("base", "one", "linear α=0.5")


def test_groups_have_curves_only_alone(runs: tuple[Path, Path], corpus: Path) -> None:
    grids = [Grid((0.5,), groups=("cnn",)), Grid((0.5,), groups=("cnn", "upper"))]
    points = document(sweep(runs[:1], corpus, ("ks",), grids=grids))["points"][2:]
    assert [(point["alpha"], point["settings"]) for point in points] == [
        (0.5, {"group": "cnn"}),
        (None, {"groups": {"cnn": 0.5, "upper": 0.5}}),
    ]


@pytest.mark.parametrize("stop_after", [0, 1, 5])
def test_interrupted_sweeps_go_on_with_the_same_figures(
    whole: tuple[SweepReport, Watching], runs: tuple[Path, Path], corpus: Path, tmp_path: Path, stop_after: int
) -> None:
    path, resumed = tmp_path / "r.jsonl", Watching()
    kept = r"; what is done is in .*r\.jsonl, --resume continues" if stop_after else "$"
    with pytest.raises(Interrupted, match=f"stopped after {stop_after} of 12 trials{kept}"):
        sweep(runs[:1], corpus, watcher=Watching(stop_after), ledger=Ledger(path))
    report = sweep(runs[:1], corpus, watcher=resumed, ledger=Ledger(path))
    assert (len(resumed.again), len(resumed.done)) == (stop_after, 12 - stop_after)
    assert figures(report.bench.probes) == figures(whole[0].bench.probes)
    assert report.picked == whole[0].picked


def test_inputs_are_read_and_the_encoder_is_built_once(
    runs: tuple[Path, Path], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, built = list[Path](), list[Path]()

    def open_weights(checkpoint: Checkpoint) -> Weights:
        opened.append(checkpoint.folder)
        return Weights(checkpoint)

    def load(path: Path) -> PretrainedEncoder:
        built.append(path)
        return load_encoder(path)

    monkeypatch.setattr("mergekit_speech.merging.held.open_weights", open_weights)
    monkeypatch.setattr(merged_encoder, "load_encoder", load)
    grids = [Grid((0.25, 0.5, 0.75), ("linear", "ties"), {"density": [0.5]})]
    report = sweep(runs[:1], corpus, ("ks",), grids=grids, settings=replace(SETTINGS, seeds=(0,)))
    assert len(report.points) == 8
    assert sorted(opened) == sorted([report.job.base, *report.job.tuned])
    assert built == [report.job.base]


def test_greedy_soups_are_tried(runs: tuple[Path, Path], corpus: Path) -> None:
    settings = replace(SETTINGS, greedy=True, seeds=(0,))
    report = sweep(runs, corpus, ("ks",), grids=[Grid((0.5,))], settings=settings)
    assert [point.label for point in report.points] == ["base", "one", "two", "linear α=0.5", "soup of one + two"]
    assert [point["alpha"] for point in document(report)["points"]] == [0, None, None, 0.5, None]


def test_what_fails_does_not_lose_the_rest(
    runs: tuple[Path, Path], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(assignment: Any, encoder: Any, *rest: Any) -> ProbeResult:
        if (assignment.task.name, encoder.label) == ("pr", "one"):
            raise DataError("no luck")
        if assignment.task.name == "pr" and encoder.label == "base":
            raise ZeroDivisionError("neither here")
        return train_probe(assignment, encoder, *rest)

    monkeypatch.setattr(trials, "train_probe", fail)
    watching = Watching()
    report = sweep(runs[:1], corpus, watcher=watching, settings=replace(SETTINGS, seeds=(0,)))
    assert [(each.encoder, each.task, each.seed, each.message) for each in report.bench.failures] == [
        ("base", "pr", 0, "ZeroDivisionError: neither here"),
        ("one", "pr", 0, "no luck"),
    ]
    assert tuple(watching.failures) == report.bench.failures
    assert len(report.bench.probes) == 4
    assert report.picked is not None
    assert report.picked.label == "linear α=0.5"
    jsonschema.validate(finite(document(report)), results_schema())


def test_a_sweep_of_failures_alone_fails(
    runs: tuple[Path, Path], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Iterator[None]:
        raise DataError("no luck")

    monkeypatch.setattr(trials, "train_probe", fail)
    with pytest.raises(MsmError, match="no trial came to an end; the first one: no luck"):
        sweep(runs[:1], corpus, ("ks",))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (
            {"grids": [Grid((0.5, 1.5))]},
            StrategyError,
            r"linear α=1.5: .*expected .* between 0 and 1, came 1.5; .*xtrapolate",
        ),
        ({"grids": [Grid(())]}, SettingsError, "expected at least one value of alphas to try, came none"),
        ({"grids": [Grid((0.5,), ("tis",))]}, StrategyError, "'tis'"),
        ({"grids": [Grid((0.5,), ("ties",), {"density": [2]})]}, StrategyError, "ties density=2 α=0.5: .*came 2"),
        ({"grids": [Grid((0.5,), ("consensus_ta",))]}, StrategyError, "consensus_ta .*2"),
        ({"tasks": ["kws"]}, StrategyError, "'kws'"),
        ({"settings": SweepSettings(seeds=())}, SettingsError, "expected at least one seed, came none"),
        ({"settings": SweepSettings(references="site")}, SettingsError, "expected a set of references among .*'site'"),
        ({"settings": SweepSettings(greedy=True)}, SettingsError, "expected several tuned encoders for a greedy soup"),
        ({"settings": SweepSettings(workers=0)}, SettingsError, "expected at least 1 worker, came 0"),
        (
            {"settings": SweepSettings(dask="nowhere:1")},
            EngineError,
            "expected a Dask scheduler at 'nowhere:1', came no",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(
    runs: tuple[Path, Path],
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    error: type[MsmError],
    said: str,
) -> None:
    monkeypatch.setattr(trials, "train_probe", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(cluster, "ANSWER", 0.2)
    with pytest.raises(error, match=said):
        sweep(runs[:1], corpus, **given)


def test_encoders_that_do_not_belong_together_are_refused(
    tiny_hubert: Path, runs: tuple[Path, Path], corpus: Path, tmp_path: Path
) -> None:
    other = make_run(tiny_hubert, tmp_path / "other", 3, digest="blake3:0")
    with pytest.raises(CheckpointError, match="expected runs of one base, came"):
        sweep([runs[0], other], corpus)
    with pytest.raises(CheckpointError, match=r"expected runs that were tuned from .*, came .*other"):
        run_sweep(tiny_hubert, [other], corpus, ["ks"])
    save_tiny_encoder("hubert", tmp_path / "wide", 4, intermediate_size=32)
    with pytest.raises(PairingError, match="shape"):
        run_sweep(tiny_hubert, [tmp_path / "wide"], corpus, ["ks"])
    with pytest.raises(SettingsError, match="expected at least one tuned encoder, came none"):
        sweep([], corpus)
    with pytest.raises(CheckpointError, match="expected the folder of an encoder, came 'fbank'"):
        run_sweep(tiny_hubert, [Path("fbank")], corpus, ["ks"])
