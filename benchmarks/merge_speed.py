"""What `msm merge` costs on two HuBERT-Base-sized checkpoints, beside `python -c "import torch"` in the same run.

Checks the merged values first, then measures whole processes: CPU seconds (user and system) and peak anonymous memory,
the latter also on a checkpoint of double depth. Bars: at most 1.0 CPU second more than importing torch, and the same
memory at both sizes.

    python -m benchmarks.merge_speed [--repeats 5] [--results benchmarks/results/merge_speed.jsonl]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.origin import ROOT, commit, machine
from mergekit_speech.shards.reader import Weights, open_checkpoint
from mergekit_speech.testing import tiny_checkpoint

ALPHA = 0.25
BASE_LAYERS = 12
MOST_MORE_CPU_SECONDS = 1.0
MOST_MORE_BYTES = 16 << 20
MEASURED = [
    "mergekit_speech/merging",
    "mergekit_speech/shards",
    "mergekit_speech/ops",
    "mergekit_speech/cli/merge.py",
    "strategies",
]
MSM = ["-c", "from mergekit_speech.cli import main; main(prog_name='msm')"]


@dataclass(frozen=True)
class Cost:
    """What one process took.

    Attributes:
        cpu_seconds: User and system time.
        wall_seconds: From start to end.
        anonymous_bytes: Most memory that is backed by no file, sampled every few milliseconds.
    """

    cpu_seconds: float
    wall_seconds: float
    anonymous_bytes: int


def hubert_shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """Give the parameters of a HuBERT with Base's width, from its configuration; no weights are made."""
    import torch
    from transformers import HubertConfig, HubertModel

    with torch.device("meta"):
        model = HubertModel(HubertConfig(num_hidden_layers=layers))
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def measure(arguments: Sequence[str]) -> Cost:
    """Run Python with these arguments and watch it.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    peak = 0
    while True:
        peak = max(peak, anonymous_bytes(process.pid))
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.003)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, peak)


def anonymous_bytes(pid: int) -> int:
    """Read the anonymous memory of a process now; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def median(costs: Sequence[Cost]) -> Cost:
    """Take the median of each figure, and the greatest memory."""
    return Cost(
        round(statistics.median(cost.cpu_seconds for cost in costs), 3),
        round(statistics.median(cost.wall_seconds for cost in costs), 3),
        max(cost.anonymous_bytes for cost in costs),
    )


def merge_arguments(folder: Path) -> list[str]:
    """Say how `msm merge` is called on the checkpoints in a folder."""
    options = ["--base", folder / "base", "--tuned", folder / "tuned", "--alpha", ALPHA, "--output", folder / "merged"]
    return [*MSM, "merge", *map(str, options), "--overwrite", "--quiet"]


def check_values(folder: Path) -> None:
    """Compare every merged parameter, bit for bit, with the formula on whole arrays.

    Raises:
        SystemExit: One differs.
    """
    checkpoints = [open_checkpoint(folder / name) for name in ("base", "tuned", "merged")]
    for name in checkpoints[0].parameters:
        arrays = []
        for checkpoint in checkpoints:
            array = np.empty(checkpoint.parameters[name].elements, np.float32)
            with Weights(checkpoint) as weights:
                weights.read_into(name, array.view(np.uint8).data)
            arrays.append(array)
        base, tuned, merged = arrays
        if not np.array_equal((1 - ALPHA) * base + ALPHA * tuned, merged):
            raise SystemExit(f"wrong values in {name}: nothing was measured")


def prepare(folder: Path, layers: int) -> int:
    """Write base and tuned, merge once, check the result, and give the bytes of one checkpoint."""
    shapes = hubert_shapes(layers)
    for seed, name in enumerate(("base", "tuned")):
        tiny_checkpoint(folder / name, seed=seed, shapes=shapes)
    subprocess.run([sys.executable, *merge_arguments(folder)], check=True, cwd=ROOT)
    check_values(folder)
    return (folder / "base" / "model.safetensors").stat().st_size


def run(repeats: int) -> dict[str, object]:
    """Measure everything; figures of the three programs are taken in turn, so that the machine's moods meet all."""
    with tempfile.TemporaryDirectory() as temporary:
        small, large = Path(temporary, "small"), Path(temporary, "large")
        sizes = [prepare(small, BASE_LAYERS), prepare(large, 2 * BASE_LAYERS)]
        programs = {
            "import_torch": ["-c", "import torch"],
            "merge": merge_arguments(small),
            "merge_double": merge_arguments(large),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in programs}
        for _ in range(repeats):
            for name, arguments in programs.items():
                costs[name].append(measure(arguments))
    medians = {name: median(each) for name, each in costs.items()}
    more_seconds = round(medians["merge"].cpu_seconds - medians["import_torch"].cpu_seconds, 3)
    more_bytes = medians["merge_double"].anonymous_bytes - medians["merge"].anonymous_bytes
    return {
        "benchmark": "merge_speed",
        "commit": commit(MEASURED),
        "machine": machine(),
        "repeats": repeats,
        "checkpoint_bytes": sizes,
        **{name: asdict(each) for name, each in medians.items()},
        "cpu_seconds_more_than_import_torch": more_seconds,
        "anonymous_bytes_more_at_double_size": more_bytes,
        "reached": more_seconds <= MOST_MORE_CPU_SECONDS and more_bytes <= MOST_MORE_BYTES,
    }


def main() -> None:
    """Measure, print the line, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "merge_speed.jsonl")
    options = parser.parse_args()
    result = run(options.repeats)
    print(json.dumps(result, indent=2))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    raise SystemExit(0 if result["reached"] else 1)


if __name__ == "__main__":
    main()
