"""A cut, as Lhotse writes it, as a line of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mergekit_speech.errors import DataError
from mergekit_speech.speech.manifest import BYTES, CLIP_FIELDS

SPOKEN = ("text", "speaker", "language", "gender")
"""What is taken of a supervision, beside its custom fields."""
Row = dict[str, Any]


class FoundCut(NamedTuple):
    """A cut, and where it and its recording are.

    Attributes:
        place: File and line, for messages.
        cut: As Lhotse writes it, with `id` and `duration`.
        where: The manifest's fields that tell where the recording is.
    """

    place: str
    cut: Mapping[str, Any]
    where: Row


@dataclass(frozen=True)
class Part:
    """What is read at once: a shard of a Shar, or a file.

    Attributes:
        name: Path or URL of the file that lists the cuts.
        read: Gives them.
    """

    name: str
    read: Callable[[], Iterator[FoundCut]]


def check_cut(place: str, cut: Any, *, again: str) -> str:
    """Gives the id of a cut that has a duration too.

    Args:
        place: Where it is.
        cut: What is there.
        again: What has to be written again if it is none.

    Raises:
        DataError: It lacks one of them.
    """
    match cut:
        case {"id": str(name), "duration": int() | float()}:
            return name
    raise DataError(f"{place}: expected a cut with id and duration, got {cut!r:.60}: write {again} again")


def clip_row(found: FoundCut, split: str, label: str | None) -> Row:
    """Writes the line of a cut.

    Args:
        found: The cut.
        split: Its split.
        label: Field that becomes the label; None leaves the label as it is.

    Raises:
        DataError: The cut lacks that field.
    """
    fields = _fields(found.cut)
    if label is not None:
        if label not in fields:
            came = ", ".join(fields) or "no fields"
            raise DataError(
                f"{found.place}: expected the field {label!r} to become the label, came {came}: choose another"
            )
        fields["label"] = fields[label]
    own = {key: value for key, value in fields.items() if key not in (*CLIP_FIELDS, BYTES)}
    duration = round(found.cut["duration"], 6)
    return {"id": found.cut["id"], **found.where, "duration": duration, "split": split, **own}


def _fields(cut: Mapping[str, Any]) -> dict[str, Any]:
    spoken: Sequence[Mapping[str, Any]] = cut.get("supervisions") or []
    fields = dict(cut.get("custom") or {})
    for each in spoken:
        fields |= each.get("custom") or {}
    for key in SPOKEN:
        values = [each[key] for each in spoken if each.get(key) is not None]
        if key == "text" and values:
            fields[key] = " ".join(values)
        elif len(set(values)) == 1:
            fields[key] = values[0]
    if len(spoken) > 1 and all(each.get("speaker") for each in spoken):
        fields["segments"] = [_turn(each) for each in spoken]
    return fields


def _turn(spoken: Mapping[str, Any]) -> tuple[float, float, str]:
    start = spoken["start"]
    return round(start, 6), round(start + spoken["duration"], 6), spoken["speaker"]
