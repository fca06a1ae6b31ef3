"""Does Speech-FT stay closer to the base than Stable-FT, and is less deviation more similarity, on the shipped encoder?

Merges a run of the shipped encoder at several α, and compares features and weights of all with those of the base, on
utterances that the run did not hear. The report goes to benchmarks/results/analysis.

Run from the project's root: `python -m benchmarks.similarity --data FOLDER --run RUN`, with a folder such as the README
describes, and a run of `msm finetune`, such as `benchmarks.real_speech` leaves.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.origin import commit, machine
from benchmarks.places import forget_places, renamed
from benchmarks.records import RESULTS
from mergekit_speech.demo import ENCODER

PLACE = RESULTS / "analysis"
ALPHAS = ("0.25", "0.5")
UTTERANCES, CLIPS = "unlabelled_en", "60"
MEASURED = ("mergekit_speech/analysis", "mergekit_speech/encoders", "mergekit_speech/reports/analyze.py")


def main() -> None:
    """Merge, analyze, and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {UTTERANCES}")
    parser.add_argument("--run", type=Path, required=True, help="run of msm finetune on the shipped encoder")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        commands = spell(options.data, options.run, work)
        for command in commands:
            subprocess.run([str(Path(sys.executable).with_name("msm")), *command], check=True)
        names = {options.run: "RUN", work: "WORK", options.data: "DATA", PLACE: "OUT"}
        forget_places(PLACE, names)
        spelled = [renamed(shlex.join(["msm", *command]), names) for command in commands]
    origin = {
        "commands": spelled,
        "seconds": round(time.perf_counter() - started),
        "commit": commit(MEASURED),
        "machine": machine(),
    }
    (PLACE / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")


def spell(data: Path, run: Path, work: Path) -> list[list[str]]:
    """Spell the commands."""
    merged = {alpha: str(work / f"merged-{alpha}") for alpha in ALPHAS}
    merges = [
        ["merge", str(run), "--base", str(ENCODER), "--alpha", alpha, "--output", output]
        for alpha, output in merged.items()
    ]
    encoders = [
        f"base={ENCODER}",
        f"Stable-FT={run}",
        *(f"Speech-FT α {alpha}={place}" for alpha, place in merged.items()),
    ]
    heard = ["--data", str(data), "--folder", UTTERANCES, "--clips", CLIPS, "--between", "Stable-FT"]
    return [*merges, ["analyze", *encoders, *heard, "--output", str(PLACE), "--overwrite"]]


if __name__ == "__main__":
    main()
