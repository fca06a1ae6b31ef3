"""Does Speech-FT stay closer to the base than Stable-FT, and is less deviation more similarity, on the shipped encoder?

Merges a run of the shipped encoder at several α, and compares features and weights of all with those of the base, on
utterances that the run did not hear. The report goes to benchmarks/results/analysis.

Run from the project's root: `python -m benchmarks.similarity --data FOLDER --run RUN`, with a folder such as the README
describes, and a run of `msm finetune`, such as `benchmarks.real_speech` leaves.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.origin import ROOT, commit, machine
from mergekit_speech.demo import ENCODER
from mergekit_speech.reports.folder import RESULTS, rebuild

PLACE = ROOT / "benchmarks" / "results" / "analysis"
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
        base = json.loads((options.run / "record.json").read_text(encoding="utf-8"))["base"]["path"]
        names = {base: "BASE", str(ENCODER): "BASE", str(options.run): "RUN", str(work): "WORK"}
        names[str(options.data)] = "DATA"
        keep_names(PLACE, names)
        spelled = [rename(" ".join(["msm", *command]), {**names, str(PLACE): "OUT"}) for command in commands]
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


def keep_names(report: Path, names: dict[str, str]) -> None:
    """Put names for the places of one machine into a report, and make its page again."""
    path = report / RESULTS
    path.write_text(rename(path.read_text(encoding="utf-8"), names), encoding="utf-8")
    rebuild(report)


def rename(text: str, names: dict[str, str]) -> str:
    """Replace places by names, the longest first, since one may lie within another."""
    for place in sorted(names, key=len, reverse=True):
        text = text.replace(place, names[place])
    return text


if __name__ == "__main__":
    main()
