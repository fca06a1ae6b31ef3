"""Probes what is compared, and writes a report of each comparison: a seed is that of fine-tuning and of the probe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.origin import commit, machine
from benchmarks.places import forget_places
from benchmarks.records import RESULTS
from benchmarks.speech_ft.encoders import Contender
from benchmarks.speech_ft.joining import ORIGIN, Origin, join, join_origins, read_origins
from benchmarks.speech_ft.matrix import PROBED, SEEDS
from mergekit_speech.reports.bench import write_report
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.results import BenchReport
from mergekit_speech.superb.settings import Overrides

# As the other benchmark on real speech: for minutes of speech instead of hundreds of hours, the same for every encoder.
STEPS = {"pr": 200, "ks": 600, "sid": 600, "er": 600}
RATES = {"pr": 1e-2, "ks": 3e-3, "sid": 3e-3, "er": 3e-3}
CLIPS = 32
FOLDS = 1
MEASURED = ("mergekit_speech", "strategies", "benchmarks/speech_ft")


def compare(
    name: str, chosen: Sequence[Contender], data: Path, work: Path, seeds: Sequence[int] = SEEDS
) -> BenchReport:
    """Probes contenders and writes `results/speech_ft/NAME`; what was probed before is not probed again.

    Other seeds that are there stay.

    Args:
        name: Of the comparison.
        chosen: What is compared; the first is what differences refer to.
        data: The data folder.
        work: Folder of runs, merges and finished probes.
        seeds: One fine-tuning and one probe each.

    Raises:
        DataError: The other seeds that are there are of another base, or were probed otherwise.
    """
    ledger = Ledger(work / "probes.jsonl")
    reports = [_probe(chosen, data, work, seed, ledger) for seed in seeds]
    probes = tuple(probe for report in reports for probe in report.probes)
    failures = tuple(failure for report in reports for failure in report.failures)
    folder = RESULTS / "speech_ft" / name
    done = replace(reports[0], seeds=tuple(seeds), probes=probes, failures=failures)
    whole, origins = join(done, folder), join_origins(_origin(seeds, work), read_origins(folder))
    write_report(whole, folder, overwrite=True)
    (folder / ORIGIN).write_text(json.dumps(origins, indent=2) + "\n", encoding="utf-8")
    forget_places(folder, {data: "DATA", work: "runs"})
    return whole


def _probe(chosen: Sequence[Contender], data: Path, work: Path, seed: int, ledger: Ledger) -> BenchReport:
    named = [f"{contender.label}={contender.make(work, seed)}" for contender in chosen]
    overrides = Overrides(
        steps=STEPS, learning_rate=RATES, clips=CLIPS, accumulate=1, evaluate_every=_every(), folds=FOLDS
    )
    return run_bench(named, data, PROBED, seeds=(seed,), overrides=overrides, ledger=ledger)


def _every() -> Mapping[str, int]:
    return {task: steps // 25 for task, steps in STEPS.items()}


def _origin(seeds: Sequence[int], work: Path) -> Origin:
    return {
        "seeds": list(seeds),
        "command": "python -m benchmarks.speech_ft --data DATA",
        "core_hours": _core_hours(work, seeds),
        "commit": commit(MEASURED),
        "machine": machine(),
    }


def _core_hours(work: Path, seeds: Sequence[int]) -> Mapping[str, float]:
    """What everything of these seeds so far took; of pre-training, the steps alone."""
    runs = [path for seed in seeds for path in work.glob(f"runs/*/*-{seed}/cost.json")]
    steps = [row for path in work.glob("bases/*/round-*/metrics.jsonl") for row in path.read_text().splitlines()]
    seconds = {
        "fine-tuning": [json.loads(path.read_text())["cpu_seconds"] for path in runs],
        "pre-training other bases": [json.loads(step).get("seconds", 0.0) for step in steps],
    }
    return {name: round(sum(each) / 3600, 2) for name, each in seconds.items()}
