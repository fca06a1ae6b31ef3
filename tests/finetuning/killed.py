"""Starts runs of fine-tuning in processes of their own and kills each at a point: `BASE DATA OUTPUT POINT…`."""

from __future__ import annotations

import os
import signal
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import torch

from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.training.events import EvaluationEvent, StepEvent

SETTINGS = FinetuneSettings(
    steps=6, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=2, head_only=0.34, seed=3
)
POINTS = ("step-1", "step-5", "write-2", "write-3", "rename-2")
"""Behind a step; half-way through the n-th file of a checkpoint; between its two renames."""


class KillBehind:
    """An observer that kills the process when a step is done."""

    def __init__(self, step: int) -> None:
        self._step = step

    def start(self, done: int, steps: int) -> None:
        """Nothing to do."""

    def stepped(self, event: StepEvent) -> None:
        if event.step == self._step:
            die()

    def evaluated(self, event: EvaluationEvent) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def die() -> NoReturn:
    """Ends this process as the system's killer of processes would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def kill_in_write(number: int) -> None:
    """Kills the process when half of the checkpoint's `number`-th file is written."""
    whole, count = torch.save, 0

    def save(state: Any, file: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            content = BytesIO()
            whole(state, content)
            file.write(content.getvalue()[: content.tell() // 2])
            file.flush()
            die()
        whole(state, file)

    torch.save = save  # type: ignore[assignment]


def kill_in_rename() -> None:
    """Kills the process when `last` has become `last.1` and the new `last` is not there yet."""
    whole = Path.replace

    def replace(path: Path, target: Any) -> Path:
        moved = whole(path, target)
        if moved.name == "last.1.pt":
            die()
        return moved

    Path.replace = replace  # type: ignore[method-assign,assignment]


def run(base: Path, data: Path, output: Path, point: str) -> None:
    """Runs until the point."""
    kind, number = point.split("-")
    observers = [KillBehind(int(number))] if kind == "step" else []
    if kind == "write":
        kill_in_write(int(number))
    if kind == "rename":
        kill_in_rename()
    finetune(base, task="ks", data=data, output=output, settings=SETTINGS, observers=observers)


def main() -> None:
    """Forks a process for each point, so that they share one start, and sees each killed."""
    torch.set_num_threads(1)
    base, data, output = map(Path, sys.argv[1:4])
    for point in sys.argv[4:]:
        child = os.fork()
        if child == 0:
            run(base, data, output / point, point)
            os._exit(0)
        if os.WTERMSIG(os.waitpid(child, 0)[1]) != signal.SIGKILL:
            raise SystemExit(f"the run survived {point}")


if __name__ == "__main__":
    main()
