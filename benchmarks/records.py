"""Results: one file of JSON lines for each benchmark, a line for each time it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.origin import ROOT, commit, machine

RESULTS = ROOT / "benchmarks" / "results"
# What decides the speed of a merge.
MEASURED = (
    "mergekit_speech/api.py",
    "mergekit_speech/merging",
    "mergekit_speech/layouts",
    "mergekit_speech/shards",
    "mergekit_speech/ops",
    "mergekit_speech/cli/merge.py",
    "strategies",
    "benchmarks/*.py",
)


def record(
    name: str,
    figures: Mapping[str, Any],
    reached: bool,
    packages: Sequence[str] = (),
    measured: Sequence[str] = MEASURED,
) -> None:
    """Print a result, add it to the results with its origin, and end the program.

    Args:
        name: Of the benchmark.
        figures: What was measured.
        reached: Whether every bar was reached; it decides the exit status.
        packages: Distributions whose versions matter, beside those that always do.
        measured: Paths below the project's root that decide the figures.

    Raises:
        SystemExit: Always, with 0 if the bars were reached, else 1.
    """
    origin = {"benchmark": name, "commit": commit(measured), "machine": machine(packages)}
    line = {**origin, **figures, "reached": reached}
    print(json.dumps(line, indent=2, ensure_ascii=False))
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    raise SystemExit(0 if reached else 1)


def latest(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Read the last result of a benchmark; None if it never ran."""
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return found
