"""README.md holds what the latest results give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chart import TOOLS, draw_processes
from benchmarks.page import replaced
from benchmarks.records import latest
from benchmarks.table import BENCHMARKS, NAME, README, render

COST = {"wall_seconds": 1.0, "cpu_seconds": 2.0, "anonymous_bytes": 3 << 20, "resident_bytes": 4 << 20}
MACHINE = {"cpu": "Abacus", "cores": 2, "load": 0.25, "versions": {"numpy": "2"}}
ORIGIN = {"commit": "abc", "machine": MACHINE}
SPEED = {"times_copy": 1.6, "times_durable_copy": 0.8, "digest_cost": 0.5}
WORKS = {
    work: {"tools": {"msm": COST, "mergekit": COST}, "times_faster": {"msm": 1.0, "mergekit": 11.0, "peft": 4.5}}
    for work in ("linear", "task_arithmetic", "ties")
}
STRATEGY = {"checkpoint": "small", "tuned": 2, "seconds": 1.5}
RESULTS: dict[str, dict[str, Any] | None] = {
    "engine": {**ORIGIN, "checkpoints": {"small": SPEED}},
    "peers": {**ORIGIN, "import_torch": COST, "works": WORKS},
    "strategies": {
        **ORIGIN,
        "strategies": {
            "lines": {**STRATEGY, "times_linear": 2.0, "bar": 3.0},
            "soups": {**STRATEGY, "times_linear": 3.5, "bar": 3.0},
            "karcher": {**STRATEGY, "times_linear": 40.0, "bar": None},
        },
    },
    "memory": {**ORIGIN, "checkpoints": {"small": {"ties": {str(64 << 20): 30 << 20, str(256 << 20): 300 << 20}}}},
    "layouts": {**ORIGIN, "checkpoint": "small", "bar_bytes": 84 << 20, "works": {"there": 7 << 20, "back": 85 << 20}},
    "kernels": None,
    "finetuning": {
        **ORIGIN,
        "device": "cpu",
        "precision": "bf16",
        "times_faster": 1.25,
        "audio_seconds_per_second": {"msm": 2.5, "transformers": 2.0},
        "model_flops_use": {"msm": 0.5, "transformers": 0.4},
        "waited": 0.06,
    },
    "engines": {
        **ORIGIN,
        "encoder": "ear",
        "tasks": {
            "pr": {
                "seeds": 5,
                "metrics": {
                    "per": {
                        "means": {"native": 0.25, "s3prl": 0.3},
                        "deviations": {"native": 0.01, "s3prl": 0.02},
                        "interval": [-0.1, 0.004],
                        "agrees": True,
                    }
                },
                "seconds": {"native": 2.0, "s3prl": 9.0},
                "times_faster": 4.5,
            }
        },
    },
}


def test_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == replaced(text, render({name: latest(name) for name in BENCHMARKS}), NAME)


@pytest.mark.parametrize(
    "row",
    [
        "| linear, the engine alone: small | at most 1.5 × `cp` of the output "
        "| 1.6 × (0.8 × with both written out to the disk) | no |",
        "| digests of the inputs: small | shown only | +50% of the engine's time |  |",
        "| linear, whole process | at least 10 × less time than mergekit-pytorch | 11.0 × | yes |",
        "| ties, whole process | at least 5 × less time than peft | 4.5 × | no |",
        "| slowest strategy with this bar: soups | at most 3 × linear | 3.5 × | no |",
        "| peak memory above the imports, --memory 64MB | at most the budget + 32 MB | at most 30 MB | yes |",
        "| peak memory above the imports, --memory 256MB | at most the budget + 32 MB | at most 300 MB | no |",
        "| peak memory above the imports, conversions and merges across layouts "
        "| at most 1.1 × the largest parameter in fp32 + 64 MB (84 MB) | at most 85 MB | no |",
        "| small | there | 7 |",
        "| GPU, ties with thresholds | at least 50 % of the copy bandwidth | not measured |  |",
        "| ties | msm merge | 1.00 | 2.00 | 3 | 4 | 1.0 |",
        "|  | `import torch` alone | 1.00 | 2.00 | 3 | 4 |  |",
        "| karcher | 2 | small | 1.5 | 40.0 × |  |",
        "| small | ties | 30 | 300 |",
        "| engine | abc | Abacus, 2 cores | 0.2 | numpy 2 |",
        "| kernels | not measured |  |  |  |",
        "| CTC fine-tuning of HuBERT Base, cpu | at least 1.2 × the audio a second of transformers' Trainer "
        "| 1.25 × (2.50 against 2.00 s of audio a second in bf16; of a matrix product's operations: msm 50%,"
        " transformers 40%) | yes |",
        "| CTC fine-tuning of HuBERT Base, cpu: share of the time spent waiting for audio | at most 5% | 6.0% | no |",
        "| pr | per | 5 | 0.250 ± 0.010 | 0.300 ± 0.020 | -0.100 to +0.004 | yes | 2.0 | 9.0 | 4.5 × | 3 × |",
    ],
)
def test_rows(row: str) -> None:
    assert row in render(RESULTS).splitlines()


def test_gpu_rows() -> None:
    figures = {name: {"share": 0.9, "reached": True} for name in ("linear", "task_arithmetic", "ties_apply")}
    kernels = {**ORIGIN, **figures, "ties_with_thresholds": {"share": 0.4, "reached": False}}
    kernels["machine"] = {**MACHINE, "gpu": "Loom"}
    lines = render({**RESULTS, "kernels": kernels}).splitlines()
    assert "| GPU, linear | at least 85 % of the copy bandwidth | 90% | yes |" in lines
    assert "| GPU, ties with thresholds | at least 50 % of the copy bandwidth | 40% | no |" in lines
    assert "| kernels | abc | Abacus, 2 cores, Loom | 0.2 | numpy 2 |" in lines


def test_nothing_measured_yet() -> None:
    lines = render(dict.fromkeys(BENCHMARKS)).splitlines()
    assert lines.count("not measured") == 5
    assert "| linear, the engine alone | at most 1.5 × `cp` of the output | not measured |  |" in lines


def test_chart(tmp_path: Path) -> None:
    peers = RESULTS["peers"]
    assert peers is not None
    draw_processes(peers, tmp_path / "chart.svg")
    drawn = (tmp_path / "chart.svg").read_text(encoding="utf-8")
    said = re.findall(r"<!-- (.*) -->", drawn)
    assert {"linear", "task_arithmetic", "ties", "1.00 s", "import torch alone", *TOOLS.values()} <= set(said)
