"""Run as a program: probes by s3prl's problems, with what s3prl itself says of each test.

    python -m tests.s3prl.probe JOBS ANSWERS

JOBS is a pickle: an encoder (`NamedEncoder`) and jobs by name. ANSWERS is the pickle to write: for each job what came
of it (`Tested`), s3prl's own figures of the test split, and the trained weights.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.superb.s3prl_engine import probing
from mergekit_speech.superb.s3prl_engine.overrides import Overrides
from mergekit_speech.superb.s3prl_engine.stage import prepare

figures: dict[str, float] = {}
weights: dict[str, Any] = {}
evaluate, load_model = Overrides.evaluate, Overrides.load_model


def overhear(self: Overrides, settings: Any, mode: str, task: Any, *words: Any) -> Any:
    """Keeps what s3prl says of a test; the test split comes last."""
    logs = evaluate(self, settings, mode, task, *words)
    if mode == "test":
        figures.update({name: float(value) for name, value in logs.items()})
    return logs


def weigh(self: Overrides, folder: Any) -> Any:
    """Keeps the weights of a checkpoint that is to be tested."""
    weights.update(torch.load(Path(folder) / "state_dict.pt"))
    return load_model(self, folder)


def main(jobs: str, answers: str) -> None:
    """Does the jobs."""
    encoder, todo = pickle.loads(Path(jobs).read_bytes())
    prepare(encoder)
    stock: Any = Overrides
    stock.evaluate, stock.load_model = overhear, weigh
    done = {}
    for name, job in todo.items():
        figures.clear()
        weights.clear()
        tested = probing.probe(job, lambda event: None)
        done[name] = (tested, dict(figures), dict(weights))
    Path(answers).write_bytes(pickle.dumps(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
