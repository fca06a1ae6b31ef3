"""Forms of the tasks whose answer is one label for the whole clip, or one for each of several slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.s3prl_engine.form import Form
from mergekit_speech.superb.s3prl_engine.overrides import Said
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.tasks.parts.classification import ClassificationTask
from mergekit_speech.tasks.parts.slots import SlotTask


@dataclass(frozen=True)
class OneLabel(Form):
    """A label a clip."""

    def rows(self, task: ClassificationTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        return [{"id": name, "wav_path": str(clip.path), "label": task.text_of(clip)} for name, clip in names.items()]

    def answers(self, task: Any, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        return predictions(said, names)


@dataclass(frozen=True)
class LabelPerSlot(Form):
    """A label for each slot, called by what holds none of the semicolons and spaces between labels."""

    def rows(self, task: SlotTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        return [
            {
                "id": name,
                "wav_path": str(clip.path),
                "labels": ";".join(quote(value) for _, value in _values(task, clip)),
            }
            for name, clip in names.items()
        ]

    def answers(self, task: SlotTask, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        slots = [slot for slot, _ in _values(task, next(iter(names.values())))]
        found = predictions(said, names)
        return {name: dict(zip(slots, map(unquote, values), strict=True)) for name, values in found.items()}


def _values(task: SlotTask, clip: Clip) -> list[tuple[str, str]]:
    return sorted(task.values(clip).items())


def predictions(said: Said, names: Names, key: str = "prediction") -> dict[str, Any]:
    """s3prl's predictions, or what else it has of each clip under a key, by the ids of clips."""
    return {
        names[str(name)].id: prediction
        for result in said
        for name, prediction in zip(result["unique_name"], result[key], strict=True)
    }
