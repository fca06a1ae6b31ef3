"""The tables that s3prl's problems read, made from clips."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip

Row = Mapping[str, str]
Names = Mapping[str, Clip]
"""Clips by what tables call them."""


def number(clips: Sequence[Clip]) -> Names:
    """Calls clips by their number: s3prl cuts names at spaces, and makes files of them.

    Raises:
        DataError: A recording is not a file of this machine.
    """
    for clip in clips:
        if not isinstance(clip.path, Path):
            raise DataError(
                f"{clip.source}: s3prl reads files alone, and clip {clip.path} is none: copy it into a file and correct"
                " the manifest, or use --engine native"
            )
    return {str(place): clip for place, clip in enumerate(clips)}


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Writes rows that have the same columns, at least one."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
