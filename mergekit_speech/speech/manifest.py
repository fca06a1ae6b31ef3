"""Reads `manifest.jsonl`: one JSON object a line, `path` relative to the data folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import REMOTE, Address, Recording, find_absent
from mergekit_speech.speech.clip import Clip

CLIP_FIELDS = ("id", "path", "duration", "split")
BYTES = "bytes"
"""Field of a recording that is a part of its file, such as a tar file: its first byte, and how many."""


def read_manifest(data: Path, folder: str, fields: Sequence[str] = ()) -> list[Clip]:
    """Reads every clip of `DATA/FOLDER/manifest.jsonl`, in file order.

    Args:
        data: The data folder, to which the clips' paths are relative.
        folder: Name of the folder below it that holds the manifest.
        fields: Fields that each line must have beside `id`, `path`, `duration` (seconds) and `split`.

    Raises:
        DataError: The manifest is absent, empty, not UTF-8 JSON lines, repeats an id, or has a field missing or wrong.
    """
    path = data / folder / "manifest.jsonl"
    if not path.is_file():
        raise DataError(f"no manifest at {path}: expected a file with one JSON object a line; {_offer(data)}")
    clips = [
        _clip(data, line, f"{path}:{number}")
        # Not splitlines(), which also cuts at characters that JSON strings may hold.
        for number, line in enumerate(path.read_bytes().split(b"\n"), start=1)
        if line.strip()
    ]
    if not clips:
        raise DataError(f"{path} holds no clip: expected one JSON object a line")
    _refuse_incomplete(clips, fields)
    _refuse_repeats(clips)
    return clips


def manifest_folders(data: Path) -> list[str]:
    """Names of the folders below `data` that hold a manifest, sorted.

    Raises:
        DataError: `data` is not a folder.
    """
    if not data.is_dir():
        raise DataError(f"data folder {data} does not exist: give the folder that holds <task>/manifest.jsonl")
    return sorted(path.parent.name for path in data.glob("*/manifest.jsonl"))


def refuse_absent(clips: Sequence[Clip]) -> None:
    """Refuses clips whose recording is known to be gone, before a long run finds out; nothing is decoded.

    Raises:
        DataError: A clip's file does not exist; the message names the first and counts all. Or a store of recordings
            cannot be reached.
    """
    gone = find_absent(clip.path for clip in clips)
    absent = [clip for clip in clips if clip.path in gone]
    if absent:
        raise DataError(
            f"{absent[0].source}: clip {absent[0].path} does not exist ({len(absent)} of {len(clips)} clips have no"
            " file): check the manifest's paths and the data folder"
        )


def _offer(data: Path) -> str:
    names = manifest_folders(data)
    return f"{data} has manifests for: {', '.join(names)}" if names else f"{data} has no <task>/manifest.jsonl at all"


def _clip(data: Path, line: bytes, source: str) -> Clip:
    row = _row(line, source)
    missing = [name for name in CLIP_FIELDS if name not in row]
    if missing:
        raise DataError(f"{source}: missing field{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}")
    return Clip(
        id=_name(row["id"], "id", source),
        path=_recording(data, _name(row["path"], "path", source), row.get(BYTES), source),
        duration=_duration(row["duration"], source),
        split=_name(row["split"], "split", source),
        fields={name: value for name, value in row.items() if name not in (*CLIP_FIELDS, BYTES)},
        source=source,
    )


def _row(line: bytes, source: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise DataError(f"{source}: not UTF-8 ({fault.reason} at byte {fault.start + 1}): save it as UTF-8") from fault
    except json.JSONDecodeError as fault:
        raise DataError(f"{source}: not a JSON object ({fault.msg} at column {fault.colno})") from fault
    except (ValueError, RecursionError) as fault:
        # Numbers of thousands of digits, brackets thousands deep.
        raise DataError(f"{source}: not a JSON object that Python can read ({fault})") from fault
    if not isinstance(row, dict):
        raise DataError(f"{source}: expected a JSON object, got {row!r:.60}")
    return row


def _name(value: Any, field: str, source: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(f"{source}: {field} must be a string, got {value!r:.60}")
    return str(value)


def _recording(data: Path, path: str, part: Any, source: str) -> Recording:
    where = path if REMOTE in path else str(data / path)
    if part is None:
        return Address(where) if REMOTE in path else Path(where)
    match part:
        case [int(start), int(size)] if not any(isinstance(each, bool) for each in part) and start >= 0 < size:
            return Address(where, start, size)
    raise DataError(f"{source}: {BYTES} must be the first byte and the number of bytes, got {part!r:.60}")


def _duration(value: Any, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise DataError(f"{source}: duration must be a positive number of seconds, got {value!r:.60}")
    return float(value)


def _refuse_incomplete(clips: Sequence[Clip], fields: Sequence[str]) -> None:
    for name in fields:
        lacking = [clip for clip in clips if name not in (*CLIP_FIELDS, *clip.fields)]
        if lacking:
            raise DataError(
                f"{lacking[0].source}: missing field {name!r} ({len(lacking)} of {len(clips)} clips lack it): add it,"
                " or drop these lines"
            )


def _refuse_repeats(clips: Iterable[Clip]) -> None:
    first: dict[str, str] = {}
    for clip in clips:
        if clip.id in first:
            raise DataError(f"{clip.source}: id {clip.id!r} stands already at {first[clip.id]}; ids must be unique")
        first[clip.id] = clip.source
