"""Peak memory of a merge above what its imports take, at several budgets.

Counts memory that is backed by no file, from the moment when a merge of a tiny encoder has imported all that is needed.
Bar: the budget and 32 MB more, for every checkpoint, strategy and budget.

    python -m benchmarks.memory [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import BASE, LARGE, WIDE, Kind, write_encoders
from benchmarks.origin import ROOT
from benchmarks.processes import measure_peak
from benchmarks.records import record
from benchmarks.values import check_linear

SCRIPT = ROOT / "benchmarks" / "scripts" / "watched_merge.py"
BUDGETS = (64 << 20, 256 << 20, 1 << 30)
ALLOWED = 32 << 20
ALPHA = 0.25
# Strategy, settings, number of tuned encoders.
WORKS: Mapping[str, tuple[Mapping[str, Any], int]] = {"linear": ({"alpha": ALPHA}, 1), "ties": ({"density": 0.2}, 2)}


def measure_merge(strategy: str, encoders: Sequence[Path], output: Path, budget: int) -> int:
    """Merge in a process of its own, and give its peak memory above the imports, in bytes.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    shutil.rmtree(output, ignore_errors=True)
    settings, _ = WORKS[strategy]
    command = [sys.executable, str(SCRIPT), strategy, json.dumps(settings), str(budget), str(output)]
    command += map(str, encoders)
    return measure_peak(command)


def measure_kind(kind: Kind, folder: Path) -> dict[str, dict[str, int]]:
    """Measure one kind of checkpoint: bytes by strategy and budget.

    Raises:
        SystemExit: A merged value is wrong.
    """
    encoders = write_encoders(folder, kind, tuned=2)
    found: dict[str, dict[str, int]] = {}
    for strategy, (_, tuned) in WORKS.items():
        chosen = encoders[: 1 + tuned]
        found[strategy] = {}
        for budget in BUDGETS:
            found[strategy][str(budget)] = measure_merge(strategy, chosen, folder / "merged", budget)
        if strategy == "linear":
            check_linear(chosen, folder / "merged", ALPHA)
    return found


def is_within(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> bool:
    """Say whether every peak is within its budget and what is allowed beside it."""
    peaks = (peaks for strategies in found.values() for peaks in strategies.values())
    return all(peak <= int(budget) + ALLOWED for each in peaks for budget, peak in each.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the line, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints; default: the temporary folder")
    options = parser.parse_args(arguments)
    found = {}
    for kind in (BASE, LARGE, WIDE):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found[kind.title] = measure_kind(kind, Path(folder))
    record("memory", {"allowed_bytes": ALLOWED, "checkpoints": found}, is_within(found))


if __name__ == "__main__":
    main()
