"""Labelled stretches of a recording, as a manifest lists them."""

from __future__ import annotations

from dataclasses import dataclass

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip

TOLERANCE = 0.1
"""Seconds by which a stretch may end behind its recording."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that has a label.

    Attributes:
        start: Seconds from the recording's start.
        end: Seconds.
        label: Who speaks, or what is said.
    """

    start: float
    end: float
    label: str


def read_stretches(clip: Clip, field: str, label: str) -> list[Stretch]:
    """The stretches of a recording, in the manifest's order.

    Args:
        clip: The recording.
        field: Manifest field that lists them.
        label: What a label is, in messages.

    Raises:
        DataError: The field is not a list of at least one `[start, end, label]` within the recording.
    """
    value = clip.fields[field]
    if not isinstance(value, list) or not value:
        raise DataError(f"{clip.source}: {field} must be a list of [start, end, {label}], got {value!r:.60}")
    return [_stretch(row, clip, field, label) for row in value]


def _stretch(row: object, clip: Clip, field: str, label: str) -> Stretch:
    match row:
        case [int() | float() as start, int() | float() as end, str(name)] if name:
            if 0 <= start < end <= clip.duration + TOLERANCE:
                return Stretch(float(start), min(float(end), clip.duration), name)
    raise DataError(
        f"{clip.source}: {field} must hold [start, end, {label}] with seconds 0 ≤ start < end ≤"
        f" {clip.duration:g}, got {row!r:.60}"
    )
