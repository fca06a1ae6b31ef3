"""Trials on Dask clusters: of this machine, and existing ones whose workers come and go."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client

from mergekit_speech.errors import EngineError, SettingsError
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.results import Failure, ProbedEncoder, ProbeResult
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.watching import Silent
from mergekit_speech.sweeping import cluster
from mergekit_speech.sweeping.cluster import existing_cluster, local_cluster, pin_devices, visible_devices
from mergekit_speech.sweeping.grid import Grid
from mergekit_speech.sweeping.job import Job
from mergekit_speech.sweeping.point import SweepPoint
from mergekit_speech.sweeping.sweep import SweepReport, SweepSettings, run_sweep
from mergekit_speech.sweeping.trials import Trial
from tests.conftest import ROOT
from tests.superb.corpus import FEW

SETTINGS = SweepSettings(seeds=(0, 1), overrides=FEW)
GRID = (Grid((0.25, 0.75)),)
# Workers import torch, which takes long on a machine that is busy.
PATIENCE = 240


@contextmanager
def program(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, killed at the end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=log.parent, env=environment, stdout=file, stderr=file
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_for(what: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a scheduler of its own."""
    log = folder / "scheduler.log"
    place = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    with program("distributed.cli.dask_scheduler", *place, log=log):
        wait_for(lambda: re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text()), log)
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text())
        assert found
        yield found[1]


@contextmanager
def worker(address: str, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker without a nanny: killed, it stays dead."""
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--name", name, "--memory-limit", "0")
    log = folder / f"{name}.log"
    with program(
        "distributed.cli.dask_worker", address, *options, "--local-directory", str(folder / name), log=log
    ) as process:
        yield process


def figures(report: SweepReport) -> list[ProbeResult]:
    return [replace(probe, seconds=0) for probe in report.bench.probes]


class Killing(Silent):
    """Kills a process after so many trials; counts what it is told."""

    def __init__(self, victim: subprocess.Popen[bytes], after: int) -> None:
        self._victim, self._after = victim, after
        self.told: list[tuple[str, int]] = []
        self.failures: list[Failure] = []

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        self.told.append((result.encoder, result.seed))
        if len(self.told) == self._after:
            self._victim.send_signal(signal.SIGKILL)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    runs: tuple[Path, Path], corpus: Path, tmp_path: Path
) -> None:
    here = run_sweep(None, runs[:1], corpus, ["ks"], grids=GRID, settings=SETTINGS)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with (
        scheduler(tmp_path) as address,
        worker(address, tmp_path, "first") as victim,
        worker(address, tmp_path, "second"),
    ):
        with Client(address) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        watching = Killing(victim, after=2)
        settings = replace(SETTINGS, dask=address)
        report = run_sweep(
            None, runs[:1], corpus, ["ks"], grids=GRID, settings=settings, ledger=ledger, watcher=watching
        )
        assert victim.wait(PATIENCE) == -signal.SIGKILL
        with Client(address) as client:
            assert len(client.scheduler_info()["workers"]) == 1
    assert watching.failures == []
    assert len(watching.told) == len(set(watching.told)) == 8
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 8
    assert figures(report) == figures(here)
    assert report.picked == here.picked


def test_workers_of_this_machine_give_the_same_figures(runs: tuple[Path, Path], corpus: Path) -> None:
    settings = replace(SETTINGS, seeds=(0,))
    here = run_sweep(None, runs[:1], corpus, ["ks"], grids=GRID, settings=settings)
    there = run_sweep(None, runs[:1], corpus, ["ks"], grids=GRID, settings=replace(settings, workers=2))
    assert figures(there) == figures(here)


def test_data_that_a_worker_cannot_find_is_named(runs: tuple[Path, Path], corpus: Path, tmp_path: Path) -> None:
    """What is wrong on a worker is said here, for each trial."""
    moved = tmp_path / "moved"
    with local_cluster(1) as client:
        encoder = ProbedEncoder("base", "base", "blake3:0", 3, 32, 1)
        job = Job(moved, (), ("blake3:0",), corpus, ("ks",), Overrides(), extrapolate=False, seed=0, cache=0)
        trial = Trial(SweepPoint("base", end="base"), encoder, "ks", 0)
        ((_, outcome),) = cluster.OnCluster(client, job).run([trial])
    assert isinstance(outcome, Failure)
    assert "expected a checkpoint folder, came" in outcome.message
    assert "moved" in outcome.message


def test_each_local_worker_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with local_cluster(2) as client:
        seen = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
    assert sorted(seen.values()) == ["4", "7"]


@pytest.mark.parametrize(("visible", "devices"), [("0,3", ["0", "3"]), ("", []), ("-1", []), ("GPU-ab", ["GPU-ab"])])
def test_devices_are_those_that_one_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str, devices: Sequence[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_devices() == devices


def test_pins() -> None:
    assert pin_devices(2, []) == [{}, {}]
    assert pin_devices(2, ["0", "1", "2"]) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    with pytest.raises(SettingsError, match="expected at most a worker for each of 1 GPUs, came 2: give less workers"):
        pin_devices(2, ["0"])
    with pytest.raises(SettingsError, match="expected at least 1 worker, came 0"):
        pin_devices(0, [])


@pytest.mark.parametrize(("resources", "wanted"), [([{}, {}], {}), ([{"GPU": 1}, {"GPU": 1}], {"GPU": 1})])
def test_trials_take_the_gpu_of_workers_that_have_one(
    resources: Sequence[dict[str, int]], wanted: dict[str, int]
) -> None:
    workers = {f"tcp://{number}": {"resources": each} for number, each in enumerate(resources)}
    assert cluster.wanted_resources(workers) == wanted


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER", 0.2)
    said = r"expected a Dask scheduler at 'tcp://127.0.0.1:9', came no answer .*: check the address, such as tcp://HOST"
    with pytest.raises(EngineError, match=said), existing_cluster("tcp://127.0.0.1:9"):
        pytest.fail("answered")


def test_a_scheduler_without_workers_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with scheduler(tmp_path) as address:
        monkeypatch.setattr(cluster, "ANSWER", 3)
        said = (
            r"expected a worker at the Dask scheduler 'tcp://.*', came none within 3 s: start one with dask worker tcp"
        )
        with pytest.raises(EngineError, match=said), existing_cluster(address):
            pytest.fail("went on")
