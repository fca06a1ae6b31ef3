"""The clips of a task: to learn from, to choose by, to be judged by; and what makes them unfit for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip

NAMES = ("train", "valid", "test")
SPEAKER = "speaker"


@dataclass(frozen=True)
class Splits:
    """A task's clips.

    Attributes:
        train: Labelled clips to learn from; empty where a task trains no head.
        valid: Clips that pick the checkpoint.
        test: Clips that give the reported figures.
        fold: Number of the fold that is tested, where a task has several.
    """

    train: Sequence[Clip]
    valid: Sequence[Clip]
    test: Sequence[Clip]
    fold: int | None = None

    @property
    def clips(self) -> list[Clip]:
        """The clips of all splits, those to train on first."""
        return [*self.train, *self.valid, *self.test]


def split_by_name(clips: Sequence[Clip]) -> Splits:
    """Sorts clips by the name of their split; those of any other name are left out."""
    train, valid, test = ([clip for clip in clips if clip.split == name] for name in NAMES)
    return Splits(train, valid, test)


def refuse_empty(splits: Splits, task: str, manifest: Path) -> None:
    """Refuses a split without clips.

    Raises:
        DataError: A split is empty.
    """
    for name in NAMES:
        if not getattr(splits, name):
            raise DataError(f"{manifest}: no clip has split {name!r}; task {task} needs train, valid and test")


def refuse_shared_speakers(splits: Splits, task: str) -> None:
    """Refuses a speaker of the test split who is known from another one; clips that name no speaker are not looked at.

    Raises:
        DataError: A speaker is on both sides.
    """
    known = {name: clip for clip in (*splits.valid, *splits.train) for name in _speakers(clip)}
    for clip in splits.test:
        for name in _speakers(clip):
            if name in known:
                raise DataError(
                    f"{clip.source}: test clip {clip.id!r} is spoken by {name!r}, as is {known[name].split} clip"
                    f" {known[name].id!r}: task {task} judges by speakers that were not heard in training; move or drop"
                    " that speaker's clips"
                )


def _speakers(clip: Clip) -> list[str]:
    named = clip.fields.get(SPEAKER)
    return [str(name) for name in (named if isinstance(named, list) else [named]) if name is not None]
