"""The shipped encoder and a run tuned on pr, merged along α and probed on pr, ks, sid and er with three seeds.

Run from the project's root: `python -m benchmarks.sweep --data FOLDER`, with a folder such as the README describes. The
run is made as `benchmarks.real_speech` makes it, or taken from --run. Interrupted, it goes on where it was. The report
goes to benchmarks/results/sweep.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.origin import ROOT, commit, machine
from benchmarks.places import Names, forget_places, renamed
from benchmarks.real_speech import TUNE
from benchmarks.records import RESULTS
from mergekit_speech.demo import ENCODER

# Steps and rate of each probe: for minutes of speech instead of hundreds of hours.
PROBES = {"pr": (400, "1e-2"), "ks": (1500, "3e-3"), "sid": (1500, "3e-3"), "er": (1500, "3e-3")}
ALPHAS = "0:1:0.25"


def main() -> None:
    """Fine-tune unless there is a run, sweep, and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with pr, ks, sid and er")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "sweep", help="folder for the run and the report")
    parser.add_argument("--run", type=Path, help="run to take instead of making one")
    options = parser.parse_args()
    run, report = options.run or options.work / "pr", options.work / "report"
    names = {options.data: "DATA", run: "runs/pr", report: "runs/sweep"}
    tune = ["finetune", str(ENCODER), "--task", "pr", "--data", str(options.data), "--output", str(run), *TUNE]
    sweep = spell_sweep(run, options.data, report)
    origin = {
        "commands": [renamed(shlex.join(["msm", *command]), names) for command in (tune, sweep)],
        "commit": commit(["mergekit_speech", "strategies", "benchmarks/sweep.py"]),
        "machine": machine(["distributed"]),
    }
    started = time.perf_counter()
    if options.run is None:
        call([*tune, "--resume"])
    call([*sweep, "--resume", "--overwrite"])
    keep(report, RESULTS / "sweep", names, {**origin, "seconds": round(time.perf_counter() - started)})


def spell_sweep(run: Path, data: Path, report: Path) -> list[str]:
    """Spell the command that sweeps α."""
    steps, rates = (",".join(f"{task}={PROBES[task][part]}" for task in PROBES) for part in range(2))
    probes = ["--steps", steps, "--lr", rates, "--batch", "32", "--accumulate", "1", "--folds", "1"]
    places = ["--base", str(ENCODER), "--data", str(data), "--output", str(report)]
    return ["sweep", str(run), *places, "--tasks", ",".join(PROBES), "--alphas", ALPHAS, "--seeds", "0,1,2", *probes]


def call(command: list[str]) -> None:
    """Run the command line in a process of its own."""
    subprocess.run([sys.executable, "-c", "from mergekit_speech.cli import main; main()", *command], check=True)


def keep(report: Path, place: Path, names: Names, origin: dict[str, object]) -> None:
    """Copy a report into the results."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(report, place)
    (place / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    forget_places(place, names)


if __name__ == "__main__":
    main()
