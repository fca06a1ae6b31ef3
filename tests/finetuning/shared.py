"""Fine-tunes in one process of several, started by `torchrun -m tests.finetuning.shared BASE DATA OUTPUT`.

With the name of a break and of a scenario behind them, a run of it breaks off after `BREAK` steps; started again, it
goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.finetuning.method import L2, Adapter, Method
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.unsupervised import Unlabelled
from tests.training.toy import Watcher, crash, press_ctrl_c

EVEN: dict[str, Any] = {"steps": 8, "learning_rate": 1e-3, "clips": 5, "accumulate": 1, "evaluate_every": 4, "seed": 3}
SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pr": ({"task": "pr"}, {"clips": 3, "accumulate": 2, "method": Method(ema=0.9, early=0.5)}),
    "seconds": ({"task": "ks"}, {"clips": None, "batch_seconds": 1.7, "accumulate_seconds": 2.5}),
    "one": ({"task": "ks"}, {"clips": 1}),
    "joint": ({"task": ["ks", "pr"]}, {"accumulate": 2}),
    "l2": ({"task": "ks"}, {"clips": 4, "method": Method(l2=L2(0.1), train_cnn=True)}),
    "lora": ({"task": "ks"}, {"clips": 4, "method": Method(adapter=Adapter("lora", 2))}),
    "unlabelled": ({"unlabelled": Unlabelled(("ks",), clusters=4)}, {}),
}
"""What is learnt and how; batches that do not divide by two, and smaller ones than there are processes."""


BREAK = 6
BREAKS = {"crash": crash(BREAK), "ctrl-c": press_ctrl_c(BREAK)}
"""What happens to the first process, which alone watches."""


def train(scenario: str, base: Path, data: Path, output: Path, **more: Any) -> None:
    """Runs a scenario in this process."""
    aim, changes = SCENARIOS[scenario]
    settings = FinetuneSettings(**{**EVEN, **changes})
    finetune(base, data=data, output=output / scenario, settings=settings, **aim, **more)


def main() -> None:
    """Runs every scenario, or a part of one."""
    torch.set_num_threads(1)
    base, data, output = map(Path, sys.argv[1:4])
    if sys.argv[4:]:
        how, scenario = sys.argv[4:]
        again = (output / scenario).is_dir()
        train(scenario, base, data, output, resume=again, observers=() if again else [Watcher(BREAKS[how])])
    else:
        for scenario in SCENARIOS:
            train(scenario, base, data, output)


if __name__ == "__main__":
    main()
