"""The main job on real speech, as a user would run it, and what the shipped encoder is worth.

Reports, each with the commands that made it:

- `base_encoder`: the shipped encoder probed on pr and sid beside its own random initialisation and log-mel features;
- `ten_tasks`: the shipped encoder, tuned on pr (α = 1), and merged at α = 0.25, probed on all ten tasks;
- `ten_tasks_s3prl`: the same by the engine s3prl, at the few steps and on the few validation and test clips of
  `benchmarks.engines`, since every step and validation encodes its clips anew.

Run from the project's root: `python -m benchmarks.real_speech --data FOLDER`, with a folder such as the README
describes. Runs are kept in --work; reports go to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.engines import MOST, PLAN, reduce_data
from benchmarks.origin import ROOT, commit, machine
from benchmarks.places import forget_places, renamed
from benchmarks.records import RESULTS
from mergekit_speech.demo import ENCODER

Plan = Mapping[str, tuple[int, str, int, int]]
"""Steps, rate, clips, and steps between two validations of each task."""
# For minutes of speech instead of hundreds of hours, and the same for every encoder. The heads of asr and sf have 42
# million weights, of which a CPU reads most again for each frame: they take some steps, so that the whole path is run,
# and learn nothing that a figure could show.
FEW: Plan = {
    "pr": (400, "1e-2", 32, 16),
    "asr": (4, "1e-3", 4, 4),
    "ks": (1500, "3e-3", 32, 60),
    "sid": (1500, "3e-3", 32, 60),
    "asv": (40, "1e-3", 16, 20),
    "sd": (40, "1e-3", 4, 10),
    "er": (300, "3e-3", 32, 60),
    "ic": (1500, "3e-3", 32, 60),
    "sf": (4, "1e-3", 4, 4),
}
FEWEST: Plan = {
    task: (numbers.steps, str(numbers.learning_rate), numbers.clips, numbers.steps // 2)
    for task, numbers in PLAN.items()
}
# s3prl tests them clip by clip, which reads all weights of their heads again for each frame.
FEWEST_CLIPS = {"valid": 4, "test": 12}
TEN = ("pr", "asr", "ks", "qbe", "sid", "asv", "sd", "ic", "sf", "er")
TUNE = ("--steps", "400", "--lr", "1e-3", "--batch", "16")


def main() -> None:
    """Run the commands, and copy their reports into the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data folder with all manifests")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "real_speech", help="folder for runs and reports")
    parser.add_argument("--only", choices=sorted(REPORTS), action="append", help="report to make; repeatable")
    options = parser.parse_args()
    for name in options.only or REPORTS:
        make(name, options.data, options.work)


def bench(plan: Plan, encoders: list[str], tasks: Sequence[str], data: str, report: str) -> list[str]:
    """Spell the command that probes encoders on tasks as a plan says."""
    trained = [task for task in tasks if task in plan]
    steps, rates, clips, every = (",".join(f"{task}={plan[task][part]}" for task in trained) for part in range(4))
    sizes = ["--steps", steps, "--lr", rates, "--batch", clips, "--evaluate-every", every, "--accumulate", "1"]
    return ["bench", *encoders, "--data", data, "--tasks", ",".join(tasks), "--output", report, *sizes]


def base_encoder(data: str, _work: Path, report: str) -> list[list[str]]:
    """Commands that measure the shipped encoder against its floor."""
    encoders = [f"shipped={ENCODER}", f"random=random:{ENCODER}", "fbank", "logmel"]
    return [bench(FEW, encoders, ["pr", "sid"], data, report)]


def ten_tasks(data: str, work: Path, report: str) -> list[list[str]]:
    """Commands that fine-tune on pr, merge, and probe on everything."""
    made, encoders = tuned_and_merged(data, work)
    return [*made, bench(FEW, encoders, TEN, data, report)]


def ten_tasks_s3prl(data: str, work: Path, report: str) -> list[list[str]]:
    """The same by s3prl: one seed, few steps, few clips."""
    made, encoders = tuned_and_merged(data, work)
    for task in TEN:
        reduce_data(Path(data), work / "few", task, FEWEST_CLIPS if task in ("asr", "sf") else MOST)
    few = ["--seeds", "0", "--engine", "s3prl"]
    return [*made, [*bench(FEWEST, encoders, TEN, str(work / "few"), report), *few]]


def tuned_and_merged(data: str, work: Path) -> tuple[list[list[str]], list[str]]:
    """Commands that fine-tune on pr and merge, and the three encoders that there are then."""
    run, merged = str(work / "pr"), str(work / "merged")
    made = [
        ["finetune", str(ENCODER), "--task", "pr", "--data", data, "--output", run, *TUNE, "--resume"],
        ["merge", run, "--alpha", "0.25", "--output", merged, "--overwrite"],
    ]
    return made, [f"base={ENCODER}", f"tuned={run}", f"merged={merged}"]


REPORTS = {
    "base_encoder": base_encoder,
    "ten_tasks": ten_tasks,
    "ten_tasks_s3prl": ten_tasks_s3prl,
}


def make(name: str, data: Path, work: Path) -> None:
    """Run the commands of one report and keep what they leave."""
    report, place = work / name, RESULTS / name
    names = {data: "DATA", work: "runs"}
    commands = REPORTS[name](str(data), work, str(report))
    started = time.perf_counter()
    for command in commands:
        if command[0] == "finetune" and (work / "pr" / "encoder").is_dir():
            continue
        resumable = [*command, "--overwrite", "--resume"] if command[0] == "bench" else command
        subprocess.run([str(Path(sys.executable).with_name("msm")), *resumable], check=True)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(report, place)
    origin = {
        "commands": [renamed(shlex.join(["msm", *command]), names) for command in commands],
        "seconds": round(time.perf_counter() - started),
        "commit": commit(["mergekit_speech", "strategies", "benchmarks/real_speech.py"]),
        "machine": machine(),
    }
    (place / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    forget_places(place, names)


if __name__ == "__main__":
    main()
