"""Forms of the tasks that are learnt by CTC: PR, ASR, SF."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mergekit_speech.errors import DataError
from mergekit_speech.superb.s3prl_engine.form import Config, Form
from mergekit_speech.superb.s3prl_engine.overrides import Said
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.superb.s3prl_engine.utterances import predictions
from mergekit_speech.tasks.parts.ctc import CtcTask
from mergekit_speech.tasks.parts.slot_filling import SlotFillingTask

OUTSIDE = "O"
PARTING = (":", ";")
END = ">"
"""Ends the name of a slot, which s3prl writes right before what comes next."""
MARKS = re.compile(r"(B-[^\s>]+> | E-[^\s>]+>)|(.)", re.DOTALL)
"""A mark with the space that s3prl puts on its inner side, or a character."""


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


@dataclass(frozen=True)
class MarkedCharacters(Form):
    """Texts with a mark before and behind the words that fill a slot."""

    def rows(self, task: SlotFillingTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`.

        Raises:
            DataError: A phrase holds what s3prl parts slots by.
        """
        rows = list[Row]()
        for name, clip in names.items():
            words = [
                (word, f"{quote(slot)}{END}" if slot else OUTSIDE)
                for phrase, slot in task.field_of(clip)
                for word in phrase.split()
            ]
            if any(sign in word for word, _ in words for sign in PARTING):
                raise DataError(
                    f"{clip.source}: s3prl cannot score slots with {' or '.join(map(repr, PARTING))} in their words, as"
                    f" clip {clip.id!r} has: spell them out, or use --engine native"
                )
            said, slots = (" ".join(each) for each in zip(*words, strict=True))
            rows.append({"id": name, "wav_path": str(clip.path), "transcription": said, "iob": slots})
        return rows

    def answers(self, task: SlotFillingTask, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        found = predictions(said, names)
        return {name: [_symbol(*parts) for parts in MARKS.findall(text)] for name, text in found.items()}

    def adapt(self, config: Config) -> Config:
        """See `Form.adapt`: some of s3prl's metrics fail on data without slots."""
        return config | {"build_task": {"log_metrics": [self.selection]}}


def _symbol(mark: str, character: str) -> str:
    return character or unquote(mark.strip().removesuffix(END))


def _rows(task: CtcTask, names: Names, between: str) -> list[Row]:
    return [
        {"id": name, "wav_path": str(clip.path), "transcription": between.join(task.symbols(clip))}
        for name, clip in names.items()
    ]
