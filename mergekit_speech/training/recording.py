"""Observers that leave files: `metrics.jsonl` always, TensorBoard events beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.scalars import evaluation_scalars, step_scalars


class JsonLines:
    """Writes every event as one JSON object a line; on resume, lines after the checkpoint are dropped."""

    def __init__(self, path: Path) -> None:
        """Writes to `path`, which need not exist."""
        self._path = path
        self._file: IO[str] | None = None

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""
        whole = self._path.read_bytes() if done and self._path.is_file() else b""
        # A process that was killed may have left half a line at the end.
        lines = whole.decode("utf-8").split("\n")[:-1]
        partial = self._path.with_name(f"{self._path.name}.partial")
        partial.write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= done), encoding="utf-8")
        partial.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8")

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self._write(
            {
                "step": event.step,
                "loss": event.loss,
                "learning_rate": event.learning_rate,
                "gradient_norm": event.gradient_norm,
                "audio_seconds": event.audio_seconds,
                "seconds": event.seconds,
                "waited": event.waited,
                "memory": event.memory,
            }
        )

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""
        base = {"base": dict(event.base)} if event.base else {}
        self._write({"step": event.step, "valid": dict(event.metrics), **base, "best": event.best})

    def close(self) -> None:
        """See `Observer.close`."""
        if self._file is not None:
            self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


class TensorBoard:
    """Writes TensorBoard scalars; on resume, events after the checkpoint are hidden."""

    def __init__(self, folder: Path) -> None:
        """Writes event files into `folder`."""
        self._folder = folder
        self._writer: Any = None

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=done + 1 if done else None)

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self._add(step_scalars(event), event.step)

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""
        self._add(evaluation_scalars(event), event.step)

    def close(self) -> None:
        """See `Observer.close`."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, scalars: Mapping[str, float], step: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
