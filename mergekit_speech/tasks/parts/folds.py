"""Classification where every clip is tested once: in turn, each fold is left out and tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.classification import ClassificationTask
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once, mean_over_folds
from mergekit_speech.tasks.parts.splits import Splits

FIELD = "fold"
FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class FoldedClassificationTask(ClassificationTask):
    """A classification task that is judged by the mean of its figures over folds.

    A manifest whose clips have a number in the field `fold` is divided by it: one fold is tested, the next one (after
    the last comes the first) validates, the others train, and this for each fold. A manifest without the field is
    divided by `split`, once.
    """

    def folds(self, data: Path) -> Sequence[Splits]:
        """See `Task.folds`; the fold with the lowest number is tested first."""
        clips = self.clips(data)
        if not any(FIELD in clip.fields for clip in clips):
            return super().folds(data)
        numbers = sorted({_number(clip) for clip in clips})
        if len(numbers) < FEWEST:
            raise DataError(
                f"{self.manifest(data)}: expected at least {FEWEST} folds, to train, to validate and to test, came"
                f" {numbers!r}: divide the clips into more, or leave the field {FIELD!r} out and name splits"
            )
        folds = [_divide(clips, test, valid) for test, valid in zip(numbers, [*numbers[1:], numbers[0]], strict=True)]
        for splits in folds:
            self.check(splits, data)
        return folds

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`."""
        return super().figures(rows) if FIELD not in rows else counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return mean_over_folds(super().draws, rows, counts)


def _number(clip: Clip) -> int:
    number = clip.fields.get(FIELD)
    if isinstance(number, bool) or not isinstance(number, int):
        raise DataError(f"{clip.source}: {FIELD} must be a whole number, as on the other lines, got {number!r:.60}")
    return number


def _divide(clips: Sequence[Clip], test: int, valid: int) -> Splits:
    parts: dict[str, list[Clip]] = {"train": [], "valid": [], "test": []}
    for clip in clips:
        name = {test: "test", valid: "valid"}.get(_number(clip), "train")
        parts[name].append(replace(clip, split=name))
    return Splits(**parts, fold=test)
