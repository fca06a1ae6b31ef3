"""Forms of the tasks that are learnt by CTC: PR, ASR, SF."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.superb.s3prl_engine.form import Config, Form
from mergekit_speech.superb.s3prl_engine.overrides import Said
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.superb.s3prl_engine.utterances import predictions
from mergekit_speech.tasks.parts.ctc import CtcTask


@dataclass(frozen=True)
class Symbols(Form):
    """Symbols that s3prl reads and says as words: phones."""

    def rows(self, task: CtcTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        return _rows(task, names, " ")

    def answers(self, task: Any, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        return {name: prediction.split() for name, prediction in predictions(said, names).items()}


@dataclass(frozen=True)
class Characters(Form):
    """Texts."""

    def rows(self, task: CtcTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        return _rows(task, names, "")

    def answers(self, task: Any, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        return {name: list(prediction) for name, prediction in predictions(said, names).items()}

    def adapt(self, config: Config) -> Config:
        """See `Form.adapt`: s3prl halves every batch of ASR, whose clips are all too long for its limit."""
        config["build_batch_sampler"]["train"]["max_length"] = sys.maxsize
        return config


def _rows(task: CtcTask, names: Names, between: str) -> list[Row]:
    return [
        {"id": name, "wav_path": str(clip.path), "transcription": between.join(task.symbols(clip))}
        for name, clip in names.items()
    ]
