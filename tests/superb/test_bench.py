"""Every encoder × task × seed: shared states, interruptions, and everything checked first."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from mergekit_speech.encoders.pretrained import load_encoder, save_encoder
from mergekit_speech.errors import CheckpointError, DataError, Interrupted, SettingsError
from mergekit_speech.superb import round as rounds
from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.probe import States
from mergekit_speech.superb.results import BenchReport, Failure, ProbedEncoder, ProbeResult
from mergekit_speech.superb.training import train_probe, try_probe
from mergekit_speech.superb.watching import Silent
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.training.events import Observer
from mergekit_speech.training.settings import Goal
from tests.superb.corpus import FEW


class Watching(Silent):
    """Writes down what it is told; on request, presses Ctrl-C before a probe."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.lines: list[str] = []
        self.clips = 0
        self._stop_after = stop_after

    def encoding(self, encoder: str, clips: int) -> None:
        self.lines.append(f"{encoder} hears {clips}")

    def encoded(self) -> None:
        self.clips += 1

    def crowded(self, encoder: str, task: str, clips: int) -> None:
        self.lines.append(f"{encoder} {task} crowded by {clips}")

    def failed(self, failure: Failure) -> None:
        self.lines.append(f"failed: {failure.message}")

    def damaged(self, path: Path) -> None:
        self.lines.append(f"damaged {path.name}")

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        if self._stop_after == len([line for line in self.lines if " done" in line]):
            raise KeyboardInterrupt
        return ()

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        how = "again" if resumed else "done"
        self.lines.append(f"{result.encoder} {result.task} {result.seed} {how} {done}/{total}")


def small_bench(
    data: Path, encoders: Sequence[str | Path], watcher: Watching, ledger: Ledger | None = None
) -> BenchReport:
    tasks = ["ks", "pr", "er"]
    return run_bench(encoders, data, tasks, seeds=(0, 1), overrides=FEW, watcher=watcher, ledger=ledger)


def figures(report: BenchReport) -> list[ProbeResult]:
    probes = [replace(probe, seconds=0) for probe in report.probes]
    return sorted(probes, key=lambda probe: (probe.encoder, probe.task, probe.seed))


def test_every_encoder_task_and_seed_is_probed(corpus: Path, tiny_encoders: Mapping[str, Path]) -> None:
    watching = Watching()
    report = small_bench(corpus, [tiny_encoders["hubert"], "floor=logmel"], watching)
    assert {(probe.encoder, probe.task, probe.seed) for probe in report.probes} == {
        (encoder, task, seed) for encoder in ("hubert", "floor") for task in ("ks", "pr", "er") for seed in (0, 1)
    }
    assert [(encoder.label, encoder.depth, encoder.dim) for encoder in report.encoders] == [
        ("hubert", 3, 32),
        ("floor", 1, 80),
    ]
    assert [task.clips for task in report.tasks][:2] == [{"train": 18, "valid": 9, "test": 9}] * 2
    assert (report.seeds, report.references, report.data) == ((0, 1), "speech-ft", corpus)
    assert {"torch", "mergekit-speech"} <= report.versions.keys()
    assert watching.lines[0] == "hubert hears 36"
    probed = [f"hubert {t} {s} done {n}/12" for n, (t, s) in enumerate(ORDER, start=1)]
    # ks hears its recordings at another loudness than pr and er, which share theirs.
    assert watching.lines[1:8] == [*probed[:2], "hubert hears 36", *probed[2:]]
    assert watching.lines[8] == "floor hears 36"
    assert watching.clips == 4 * 36


ORDER = [(task, seed) for task in ("ks", "pr", "er") for seed in (0, 1)]


def test_memory_does_not_change_results(corpus: Path, tiny_hubert: Path) -> None:
    tasks, watching = ["pr", "ks"], Watching()
    plenty = run_bench([tiny_hubert], corpus, tasks, seeds=(0,), overrides=FEW)
    none = run_bench([tiny_hubert], corpus, tasks, seeds=(0,), overrides=FEW, cache=0, watcher=watching)
    assert figures(plenty) == figures(none)
    assert "hubert pr crowded by 36" in watching.lines
    assert not any("ks crowded" in line for line in watching.lines)


def test_tasks_and_their_order_do_not_change_results(corpus: Path, tiny_hubert: Path) -> None:
    alone = run_bench([tiny_hubert], corpus, ["ks"], seeds=(1,), overrides=FEW)
    among = run_bench(["logmel", tiny_hubert], corpus, ["pr", "ks"], seeds=(0, 1), overrides=FEW)
    assert figures(alone)[0] in figures(among)


@pytest.fixture(scope="module")
def whole(corpus: Path, tiny_hubert: Path) -> BenchReport:
    """A bench that nothing interrupted."""
    return small_bench(corpus, [tiny_hubert], Watching())


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_interrupted_bench_goes_on_with_the_same_figures(
    corpus: Path, tiny_hubert: Path, whole: BenchReport, tmp_path: Path, stop_after: int
) -> None:
    path, resumed = tmp_path / "r.jsonl", Watching()
    kept = r"; what is done is in .*r\.jsonl, --resume continues" if stop_after else "$"
    with pytest.raises(Interrupted, match=f"stopped after {stop_after} of 6 probes{kept}"):
        small_bench(corpus, [tiny_hubert], Watching(stop_after), Ledger(path))
    report = small_bench(corpus, [f"renamed={tiny_hubert}"], resumed, Ledger(path))
    assert figures(report) == [replace(probe, encoder="renamed") for probe in figures(whole)]
    assert len([line for line in resumed.lines if " again " in line]) == stop_after
    assert len([line for line in resumed.lines if " done " in line]) == 6 - stop_after


def test_finished_bench_reads_no_clip_again(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    ledger, watching = Ledger(tmp_path / "r.jsonl"), Watching()
    small_bench(corpus, [tiny_hubert], Watching(), ledger)
    small_bench(corpus, [tiny_hubert], watching, ledger)
    assert watching.clips == 0


def test_other_settings_or_weights_are_probed_again(corpus: Path, tiny_encoders: Mapping[str, Path]) -> None:
    ledger = Ledger()
    run_bench([tiny_encoders["hubert"]], corpus, ["ks"], seeds=(0,), overrides=FEW, ledger=ledger)
    for encoder, overrides in ((tiny_encoders["hubert"], replace(FEW, steps=9)), (tiny_encoders["wavlm"], FEW)):
        watching = Watching()
        run_bench([encoder], corpus, ["ks"], seeds=(0,), overrides=overrides, ledger=ledger, watcher=watching)
        assert any(" done " in line for line in watching.lines)


def test_nothing_is_trained_before_everything_is_checked(
    corpus: Path, tiny_hubert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "train_probe", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(CheckpointError, match="expected the folder or file of an encoder, a run, or one of"):
        run_bench([tiny_hubert, tmp_path / "gone"], corpus, ["ks"], overrides=FEW)
    with pytest.raises(DataError, match="task 'sid': no manifest"):
        run_bench([tiny_hubert], corpus, ["ks", "sid"], overrides=FEW)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="model_type None is not a speech encoder"):
        run_bench([tiny_hubert, broken], corpus, ["ks"], overrides=FEW)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ((), "expected at least one seed, came none"),
        ((0, 1, 0), r"expected different seeds of at least 0, came \[0, 1, 0\]: correct 0"),
        ((0, -1), r"expected different seeds of at least 0, came \[0, -1\]: correct -1"),
    ],
)
def test_senseless_seeds_are_refused(corpus: Path, tiny_hubert: Path, seeds: tuple[int, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        run_bench([tiny_hubert], corpus, ["ks"], seeds=seeds)


def test_unknown_references_are_refused(corpus: Path, tiny_hubert: Path) -> None:
    said = r"expected a set of references among speech-ft, superb-site, came 'superb' \(did you mean 'superb-site'\?\)"
    with pytest.raises(SettingsError, match=said):
        run_bench([tiny_hubert], corpus, ["ks"], references="superb")


def test_what_fails_does_not_lose_the_rest(corpus: Path, tiny_hubert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = Watching()

    def fail(assignment: Assignment, encoder: ProbedEncoder, states: States, seed: int, *rest: Any, **more: Any) -> Any:
        if assignment.task.name == "ks" and seed == 1:
            raise ZeroDivisionError("no class")
        return train_probe(assignment, encoder, states, seed, *rest, **more)

    monkeypatch.setattr(rounds, "train_probe", fail)
    report = small_bench(corpus, [tiny_hubert], watching)
    assert len(report.probes) == 5
    assert report.failures == (Failure(tiny_hubert.name, "ks", 1, "ZeroDivisionError: no class"),)
    assert "failed: ZeroDivisionError: no class" in watching.lines
    assert watching.lines[-1].endswith("6/6")


def test_clip_that_cannot_be_decoded_fails_its_tasks_alone(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(corpus, data)
    row = json.loads((data / "ks" / "manifest.jsonl").read_text().splitlines()[0])
    (data / "audio" / "noise.wav").write_bytes(b"no sound at all")
    rewritten = {**row, "path": "audio/noise.wav"}
    lines = (data / "ks" / "manifest.jsonl").read_text().splitlines()
    (data / "ks" / "manifest.jsonl").write_text("\n".join([json.dumps(rewritten), *lines[1:]]))
    report = run_bench([tiny_hubert], data, ["ks", "pr"], seeds=(0, 1), overrides=FEW)
    assert {(probe.task, probe.seed) for probe in report.probes} == {("pr", 0), ("pr", 1)}
    [failure] = report.failures
    assert (failure.encoder, failure.task, failure.seed) == (tiny_hubert.name, "ks", None)
    assert re.match(r"clip .*noise\.wav cannot be decoded \(.*\): replace it or drop it", failure.message)


def test_bench_of_which_nothing_succeeds_raises_the_first_fault(
    corpus: Path, tiny_hubert: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    encoder = load_encoder(tiny_hubert)
    dict(encoder.named_parameters())["model.feature_projection.projection.bias"].data[:] = 3e38
    folder.mkdir()
    save_encoder(encoder, folder, like=tiny_hubert)
    with pytest.raises(CheckpointError, match=r"encoder damaged: hidden states of .* are not finite: its weights"):
        run_bench([folder], corpus, ["ks"], seeds=(0,), overrides=FEW)
    report = run_bench([tiny_hubert, folder], corpus, ["ks", "pr"], seeds=(0,), overrides=FEW)
    assert [(failure.encoder, failure.task) for failure in report.failures] == [("damaged", "ks"), ("damaged", "pr")]


def test_rate_is_chosen_on_validation_clips(corpus: Path, tiny_hubert: Path) -> None:
    rates = (1e-9, 1e-2)
    report = run_bench([tiny_hubert], corpus, ["ks"], seeds=(0, 1), overrides=FEW, tune=rates)
    plain = run_bench([tiny_hubert], corpus, ["ks"], seeds=(0, 1), overrides=FEW)
    assert [replace(probe, tried=()) for probe in figures(report)] == figures(plain)
    for probe in report.probes:
        assert tuple(trial.learning_rate for trial in probe.tried) == rates
        assert probe.tried[1].valid["acc"] == fmean(each.valid["acc"] for each in plain.probes)
        assert probe.tried[0].valid["acc"] < probe.tried[1].valid["acc"]


def test_heads_of_the_chosen_rate_are_trained_once_unless_they_are_gone(
    corpus: Path, tiny_hubert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def count(name: str, train: Callable[..., Any]) -> None:
        def counted(*arguments: Any) -> Any:
            trained.append(name)
            return train(*arguments)

        monkeypatch.setattr(rounds, name, counted)

    def bench() -> BenchReport:
        return run_bench(
            [tiny_hubert], corpus, ["ks"], seeds=(0, 1), overrides=FEW, tune=(1e-3, 1e-2), ledger=Ledger(path)
        )

    count("train_probe", train_probe)
    count("try_probe", try_probe)
    path = tmp_path / "r.jsonl"
    whole = bench()
    assert trained == ["try_probe"] * 4
    # As if interrupted before the first head was tested.
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if '"tested": false' in line))
    resumed = bench()
    assert trained[4:] == ["train_probe"] * 2
    assert figures(resumed) == figures(whole)


def test_test_clips_have_no_say_in_the_rate(
    corpus: Path, tiny_hubert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    concluded: list[float] = []
    conclude = Examination.conclude

    def count(examination: Examination) -> Any:
        concluded.append(1)
        return conclude(examination)

    monkeypatch.setattr(Examination, "conclude", count)
    path = tmp_path / "r.jsonl"
    run_bench([tiny_hubert], corpus, ["ks"], seeds=(0, 1), overrides=FEW, tune=(1e-3, 1e-2, 1e-1), ledger=Ledger(path))
    assert len(concluded) == 2
    watching = Watching()
    run_bench(
        [tiny_hubert],
        corpus,
        ["ks"],
        seeds=(0, 1),
        overrides=FEW,
        tune=(1e-3, 1e-2, 1e-1),
        ledger=Ledger(path),
        watcher=watching,
    )
    assert watching.clips == 0


@pytest.mark.parametrize(
    ("rates", "engine", "said"),
    [
        ((1e-3, 0.0), "native", r"expected different learning rates above 0, came \[0\.001, 0\.0\]: correct 0\.0"),
        ((1e-3, 1e-3), "native", r"expected different learning rates above 0, came .*: correct 0\.001"),
        ((1e-3,), "s3prl", "expected the engine 'native' to choose learning rates, came 's3prl', which tests"),
    ],
)
def test_senseless_rates_are_refused(
    corpus: Path, tiny_hubert: Path, rates: tuple[float, ...], engine: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        run_bench([tiny_hubert], corpus, ["ks"], tune=rates, engine=engine)


def test_store_is_shared_with_later_benches(corpus: Path, tiny_encoders: Mapping[str, Path], tmp_path: Path) -> None:
    clips = []
    for encoder in ("hubert", "hubert", "wavlm", "hubert"):
        watching = Watching()
        run_bench([tiny_encoders[encoder]], corpus, ["pr"], seeds=(0,), overrides=FEW, store=tmp_path, watcher=watching)
        clips.append(watching.clips)
    assert clips == [36, 0, 36, 0]
    [first, *_] = sorted(tmp_path.glob("*/*.states"))
    first.write_bytes(first.read_bytes()[:1000])
    again = [Watching(), Watching()]
    reports = [
        run_bench([tiny_encoders[encoder]], corpus, ["pr"], seeds=(0,), overrides=FEW, store=tmp_path, watcher=watching)
        for encoder, watching in zip(("hubert", "wavlm"), again, strict=True)
    ]
    assert sorted(watching.clips for watching in again) == [0, 36]
    assert f"damaged {first.name}" in [*again[0].lines, *again[1].lines]
    afresh = run_bench([tiny_encoders["hubert"]], corpus, ["pr"], seeds=(0,), overrides=FEW)
    assert figures(reports[0]) == figures(afresh)


def test_recording_that_has_changed_is_heard_again(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(corpus, data)
    run_bench([tiny_hubert], data, ["pr"], seeds=(0,), overrides=FEW, store=tmp_path / "store")
    clip = min((data / "audio").iterdir())
    stamp, sound = clip.stat(), bytearray(clip.read_bytes())
    sound[-1] ^= 1
    clip.write_bytes(sound)
    os.utime(clip, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    watching = Watching()
    run_bench([tiny_hubert], data, ["pr"], seeds=(0,), overrides=FEW, store=tmp_path / "store", watcher=watching)
    assert watching.clips == 1


def test_half_precision_changes_figures_little(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    ledger = Ledger()
    whole = run_bench([tiny_hubert], corpus, ["pr", "ks"], seeds=(0,), overrides=FEW, ledger=ledger)
    half = run_bench(
        [tiny_hubert], corpus, ["pr", "ks"], seeds=(0,), overrides=FEW, ledger=ledger, state_format="float16"
    )
    crowded = run_bench([tiny_hubert], corpus, ["pr", "ks"], seeds=(0,), overrides=FEW, state_format="float16", cache=0)
    assert figures(half) == figures(crowded)
    for ours, theirs in zip(figures(half), figures(whole), strict=True):
        assert ours.layer_weights != theirs.layer_weights
        assert ours.layer_weights == pytest.approx(theirs.layer_weights, abs=1e-3)
        assert ours.test == pytest.approx(theirs.test, abs=0.12)


def test_nothing_is_left_of_a_temporary_store(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "reports" / "r.partial.jsonl")
    run_bench([tiny_hubert], corpus, ["pr"], seeds=(0,), overrides=FEW, ledger=ledger)
    assert list((tmp_path / "reports").iterdir()) == [ledger.path]


def test_heads_in_training_leave_events(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    run_bench([f"a={tiny_hubert}"], corpus, ["ks"], seeds=(3,), overrides=FEW, tune=(1e-2,), events=tmp_path)
    folders = sorted(path.parent.relative_to(tmp_path) for path in tmp_path.rglob("events.out.*"))
    # The head that was best is tested; it is not trained again.
    assert folders == [Path("a/ks/seed-3/lr-0.01")]
