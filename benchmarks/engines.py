"""Both engines on the same encoder, data, steps and seeds: whether their metrics agree, and what their probes cost.

Each task of SUPERB that trains a head is probed by `native` and by `s3prl`, at the few steps of `PLAN`, on all training
clips and every n-th validation and test clip of a data folder. A metric agrees where the 95 % interval of Welch's
t-test for the difference of means over seeds holds 0. A probe of `native` costs its training and test, and its
task's share of the encoding that all tasks and seeds have in common.

    python -m benchmarks.engines --data FOLDER [--tasks pr,sid] [--seeds 0,1,2,3,4] [--work FOLDER]

What is done is kept in --work, so that the command continues where it was stopped; results so far are written after
each seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.origin import ROOT, commit, machine
from benchmarks.records import RESULTS
from mergekit_speech.demo import ENCODER
from mergekit_speech.registry import TASKS
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.engines import ENGINES
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.results import NATIVE, ProbeResult
from mergekit_speech.superb.s3prl_engine.engine import S3PRL
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.watching import Silent

CONFIDENCE = 0.95
MOST = {"valid": 12, "test": 40}
"""Clips of a split to keep; those of trials are kept all."""
WHOLE = ("asv",)
UNREDUCED = ("train", "doc", "query", "query_valid")
FRAMES = ("pr", "asr", "sf", "sd")
"""Tasks that learn from every frame; the others learn from one label a clip."""
BARS = {task: 3.0 if task in FRAMES else 5.0 for task in ("ks", "er", "sid", "ic", "asv", *FRAMES)}
"""How many times faster native must be."""
# What decides the figures.
MEASURED = ("mergekit_speech", "benchmarks/engines.py")


@dataclass(frozen=True)
class Numbers:
    """How a task is probed: enough for a head to learn something in a minute of one core."""

    steps: int
    learning_rate: float
    clips: int


PLAN = {
    "ks": Numbers(60, 3e-3, 16),
    "er": Numbers(30, 3e-3, 8),
    "sid": Numbers(30, 3e-3, 8),
    "ic": Numbers(30, 3e-3, 16),
    "pr": Numbers(30, 1e-2, 8),
    "sd": Numbers(12, 1e-3, 4),
    "asv": Numbers(12, 1e-3, 8),
    "asr": Numbers(4, 1e-3, 4),
    "sf": Numbers(4, 1e-3, 4),
}


def reduce_data(data: Path, work: Path, task: str, most_clips: Mapping[str, int] = MOST) -> None:
    """Write the manifest of a task with fewer validation and test clips, in one fold and without meetings."""
    manifest = TASKS.load(task).manifest(data)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    kept = [row for row in rows if row["split"] in UNREDUCED]
    for split, most in most_clips.items():
        own = [row for row in rows if row["split"] == split]
        kept += own[:: 1 if task in WHOLE else -(-len(own) // most) or 1]
    folder = work / task
    folder.mkdir(parents=True, exist_ok=True)
    for row in kept:
        row["path"] = str((data / row["path"]).resolve())
        row.pop("fold", None)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    trials = manifest.parent / "trials.jsonl"
    if trials.is_file():
        (folder / "trials.jsonl").write_bytes(trials.read_bytes())


def overrides(tasks: Iterable[str]) -> Overrides:
    """Give the numbers of tasks, with two validations each."""
    plan = {task: PLAN[task] for task in tasks}
    return Overrides(
        steps={task: numbers.steps for task, numbers in plan.items()},
        learning_rate={task: numbers.learning_rate for task, numbers in plan.items()},
        clips={task: numbers.clips for task, numbers in plan.items()},
        accumulate=1,
        evaluate_every={task: numbers.steps // 2 for task, numbers in plan.items()},
    )


def compare(probes: Sequence[ProbeResult], encoding: Mapping[str, float]) -> dict[str, Any]:
    """Compare the engines on one task.

    Args:
        probes: Of both engines.
        encoding: Seconds of encoding that a probe of `native` has to bear, by task.

    Returns:
        The number of seeds, the comparison of each metric, the median seconds of a probe by engine, and their ratio.
    """
    by_engine = {engine: [probe for probe in probes if probe.engine == engine] for engine in ENGINES}
    seconds = {engine: statistics.median(probe.seconds for probe in own) for engine, own in by_engine.items()}
    seconds[NATIVE] += encoding[probes[0].task]
    values = {
        metric: {engine: [probe.test[metric] for probe in own] for engine, own in by_engine.items()}
        for metric in probes[0].test
    }
    return {
        "seeds": min(map(len, by_engine.values())),
        "metrics": {metric: agreement(each[NATIVE], each[S3PRL]) for metric, each in values.items()},
        "seconds": seconds,
        "times_faster": round(seconds[S3PRL] / seconds[NATIVE], 1),
    }


def agreement(native: Sequence[float], s3prl: Sequence[float]) -> dict[str, Any]:
    """Compare one metric over seeds: means, deviations, the interval of the difference, and whether it holds 0."""
    from scipy.stats import ttest_ind

    means = {NATIVE: statistics.fmean(native), S3PRL: statistics.fmean(s3prl)}
    spreads = {NATIVE: statistics.stdev(native), S3PRL: statistics.stdev(s3prl)}
    difference = means[NATIVE] - means[S3PRL]
    if any(spreads.values()):
        interval = ttest_ind(native, s3prl, equal_var=False).confidence_interval(CONFIDENCE)
        low, high = float(interval.low), float(interval.high)
    else:
        low = high = difference
    return {"means": means, "deviations": spreads, "interval": [low, high], "agrees": low <= 0 <= high}


class Clock(Silent):
    """Times the encoding of a bench."""

    def __init__(self) -> None:
        """Starts at 0."""
        self.seconds = 0.0
        self._since = 0.0

    def encoding(self, encoder: str, clips: int) -> None:
        """See `Watcher.encoding`."""
        self._since = time.perf_counter()

    def encoded(self) -> None:
        """See `Watcher.encoded`."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now


def audio_seconds(folder: Path) -> float:
    """Give the seconds of all clips of a manifest's folder."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(float(json.loads(line)["duration"]) for line in lines)


def encode_shares(work: Path, tasks: Sequence[str], seeds: int, spent: float) -> dict[str, float]:
    """Divide the seconds of encoding by audio among tasks, and by seed; what was spent once is kept for later runs."""
    kept = work / "encoding.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else 0.0
    total = max(known, spent)
    kept.write_text(json.dumps(total), encoding="utf-8")
    audio = {task: audio_seconds(work / task) for task in tasks}
    return {task: total * seconds / sum(audio.values()) / seeds for task, seconds in audio.items()}


def write(found: Mapping[str, Any], encoder: str, seeds: Sequence[int]) -> None:
    """Write what both engines have probed so far in place of the former result, and print it."""
    line = {
        "benchmark": "engines",
        "commit": commit(MEASURED),
        "machine": machine(("accelerate", "lhotse")),
        "encoder": encoder,
        "asked_seeds": len(seeds),
        "tasks": found,
        "reached": bool(found) and all(map(reached, found, found.values())),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "engines.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(line, indent=2, ensure_ascii=False), flush=True)


def reached(task: str, found: Mapping[str, Any]) -> bool:
    """Say whether a task's metrics agree and its probes are fast enough."""
    agree = all(metric["agrees"] for metric in found["metrics"].values())
    return agree and bool(found["times_faster"] >= BARS[task])


def main(arguments: Sequence[str] | None = None) -> None:
    """Probe, compare, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with <task>/manifest.jsonl")
    parser.add_argument("--tasks", default=",".join(PLAN), help="tasks, such as pr,sid")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="a probe of each task and engine for each of them")
    parser.add_argument("--encoder", default=str(ENCODER), help="what hears the clips; default: the shipped encoder")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "engines", help="folder for what is done")
    options = parser.parse_args(arguments)
    tasks, seeds = options.tasks.split(","), [int(seed) for seed in options.seeds.split(",")]
    for task in tasks:
        reduce_data(options.data, options.work, task)
    probes = list[ProbeResult]()
    clock = Clock()
    # Hidden states are encoded once for all seeds of native; s3prl's seeds come one by one, each of them for all tasks.
    for engine, some in [(NATIVE, seeds), *((S3PRL, [seed]) for seed in seeds)]:
        report = run_bench(
            [options.encoder],
            options.work,
            tasks,
            seeds=some,
            overrides=overrides(tasks),
            engine=engine,
            ledger=Ledger(options.work / "probes.jsonl"),
            watcher=clock if engine == NATIVE else Silent(),
        )
        probes += report.probes
        shares = encode_shares(options.work, tasks, len(seeds), clock.seconds)
        found = {task: [probe for probe in probes if probe.task == task] for task in tasks}
        enough = {task: own for task, own in found.items() if sum(probe.engine == S3PRL for probe in own) > 1}
        write({task: compare(own, shares) for task, own in enough.items()}, Path(options.encoder).name, seeds)


if __name__ == "__main__":
    main()
