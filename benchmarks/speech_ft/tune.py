"""Fine-tunes what the experiment needs and is not there yet."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.speech_ft.matrix import Run
from benchmarks.speech_ft.turns import turn
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.training.run_folder import RunFolder


def is_done(folder: Path) -> bool:
    """Whether a run has come to its end."""
    record = RunFolder(folder).record
    return record.is_file() and "kept" in json.loads(record.read_text(encoding="utf-8"))


def tune(runs: Iterable[Run], data: Path, work: Path) -> None:
    """Makes every run, goes on with those that were broken off, and notes what each cost in CPU seconds.

    A run whose base another process still pre-trains is left out.
    """
    for run in runs:
        if not run.base.path.is_dir():
            continue
        folder = run.folder(work)
        with turn(work, f"{run.base.name}-{folder.name}") as mine:
            if not mine or is_done(folder):
                continue
            print(f"{time.strftime('%H:%M:%S')} {run.base.name} {folder.name}", flush=True)
            started = time.process_time()
            finetune(run.base.path, data=data, output=folder, resume=True, **run.arguments())
            _note_cost(folder, time.process_time() - started)


def _note_cost(folder: Path, seconds: float) -> None:
    path = folder / "cost.json"
    before = json.loads(path.read_text())["cpu_seconds"] if path.is_file() else 0.0
    path.write_text(json.dumps({"cpu_seconds": round(before + seconds, 1)}) + "\n")
