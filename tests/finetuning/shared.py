"""Fine-tunes in one process of several, started by `torchrun -m tests.finetuning.shared BASE DATA OUTPUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.finetuning.method import Method
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.unsupervised import Unlabelled

EVEN: dict[str, Any] = {"steps": 8, "learning_rate": 1e-3, "clips": 5, "accumulate": 1, "evaluate_every": 4, "seed": 3}
SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pr": ({"task": "pr"}, {"clips": 3, "accumulate": 2, "method": Method(ema=0.9, early=0.5)}),
    "seconds": ({"task": "ks"}, {"clips": None, "batch_seconds": 1.7, "accumulate_seconds": 2.5}),
    "one": ({"task": "ks"}, {"clips": 1}),
    "joint": ({"task": ["ks", "pr"]}, {"accumulate": 2}),
    "unlabelled": ({"unlabelled": Unlabelled(("ks",), clusters=4)}, {}),
}
"""What is learnt and how; batches that do not divide by two, and smaller ones than there are processes."""


def train(scenario: str, base: Path, data: Path, output: Path) -> None:
    """Runs a scenario in this process."""
    aim, changes = SCENARIOS[scenario]
    finetune(base, data=data, output=output / scenario, settings=FinetuneSettings(**{**EVEN, **changes}), **aim)


def main() -> None:
    """Runs every scenario."""
    torch.set_num_threads(1)
    for scenario in SCENARIOS:
        train(scenario, *map(Path, sys.argv[1:]))


if __name__ == "__main__":
    main()
