"""Transcription with marks around the words that fill a slot, and how well slots and their values are found.

Source: s3prl's SF (`s3prl.problem.asr.superb_sf`, `s3prl.metric.slot_filling`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import read_manifest
from mergekit_speech.tasks.parts.ctc import CtcTask, character_edits

OPEN, CLOSE = "B-", "E-"
UNORDERED = "raw_slots"


@dataclass(frozen=True, kw_only=True)
class SlotFillingTask(CtcTask):
    """A transcription task whose symbols are characters and two marks a slot, one before its words and one behind.

    The manifest's field is a list of `[words, slot]`, `slot` being null for words between slots. A clip that lacks the
    field but has an object `raw_slots` of words by slot has these for its list, in the object's order: what is said
    between slots is then no part of the task.
    """

    def clips(self, data: Path) -> list[Clip]:
        """See `Task.clips`."""
        clips = read_manifest(data, self.manifest(data).parent.name)
        return [replace(clip, fields={**clip.fields, self.field: self._phrases(clip)}) for clip in clips]

    def symbols(self, clip: Clip) -> Sequence[str]:
        """Characters and marks: `["go to", null], ["x", "place"]` gives `g o _ t o _ B-place x E-place`."""
        symbols: list[str] = []
        for words, slot in self.field_of(clip):
            marked = [*words] if slot is None else [f"{OPEN}{slot}", *words, f"{CLOSE}{slot}"]
            symbols += [" ", *marked] if symbols else marked
        return symbols

    def _phrases(self, clip: Clip) -> Sequence[tuple[str, str | None]]:
        found = clip.fields.get(self.field)
        if found is None and isinstance(clip.fields.get(UNORDERED), dict):
            found = [[words, slot] for slot, words in clip.fields[UNORDERED].items()]
        if isinstance(found, list) and found and all(_is_phrase(each) for each in found):
            return [(words, slot) for words, slot in found]
        raise DataError(
            f"{clip.source}: {self.field} must be a list of [words, slot], slot being a name without spaces or null, or"
            f" {UNORDERED} an object of words by slot, got {found!r:.60}"
        )


def _is_phrase(value: object) -> bool:
    match value:
        case [str(words), None | str()]:
            slot = value[1]
            return bool(words.strip()) and (slot is None or slot.split() == [slot])
    return False


def slot_values(symbols: Sequence[str]) -> Mapping[str, list[str]]:
    """The values of each slot: what stands between a mark and the next closing mark of that slot, other marks left out.

    A mark that nothing closes, or that is closed at once, is passed over.
    """
    values: dict[str, list[str]] = {}
    place = 0
    while place < len(symbols):
        end = _closing(symbols, place)
        if end is not None:
            inside = "".join(symbol for symbol in symbols[place + 1 : end] if not _is_mark(symbol))
            values.setdefault(symbols[place].removeprefix(OPEN), []).append(" ".join(inside.split()))
        place = place + 1 if end is None else end + 1
    return values


def _closing(symbols: Sequence[str], place: int) -> int | None:
    if not _is_mark(symbols[place]) or not symbols[place].startswith(OPEN):
        return None
    mark = CLOSE + symbols[place].removeprefix(OPEN)
    return next((later for later in range(place + 2, len(symbols)) if symbols[later] == mark), None)


def _is_mark(symbol: str) -> bool:
    return len(symbol) > 1 and symbol.startswith((OPEN, CLOSE))


def slot_errors(answer: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """How alike the sets of slots are, and the edits between the values of true slots.

    A true value is compared with the most alike value that was found for its slot, or with nothing.

    Returns:
        `type_f1` in [0, 1], `clips` (1), and numbers of characters: `value_errors`, `value_characters`.
    """
    said, true = slot_values(answer), slot_values(truth)
    named = len(said) + len(true)
    closest = [
        min((character_edits(value, spoken) for value in said.get(slot, [""])), key=lambda edits: edits[0])
        for slot, spoken_values in true.items()
        for spoken in spoken_values
    ]
    return {
        "type_f1": 2 * len(said.keys() & true.keys()) / named if named else 1.0,
        "clips": 1,
        "value_errors": sum(edits for edits, _ in closest),
        "value_characters": sum(characters for _, characters in closest),
    }
