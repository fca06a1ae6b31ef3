"""Files of cuts, or of recordings with their supervisions, as Lhotse's recipes write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import REMOTE
from mergekit_speech.speech.indexing.cut import FoundCut, Part, Row, check_cut
from mergekit_speech.speech.indexing.lines import read_lines, told

LINES = (".jsonl", ".jsonl.gz")
"""How the names of such files end."""
RECORDINGS, SUPERVISIONS = "recordings", "supervisions"
"""What Lhotse calls the two files of a recipe; the rest of their names is the same."""
NEAR = 1e-3
"""Seconds that a cut may differ from its recording."""
AGAIN = "write a Shar of it with CutSet.to_shar, and index that"


def read_listing(path: str) -> Part:
    """What a file of cuts or of recordings lists.

    Args:
        path: Or URL.
    """
    return Part(path, partial(_read, path))


def _read(path: str) -> Iterator[FoundCut]:
    spoken: Mapping[str, list[Any]] | None = None
    for place, row in read_lines(path):
        if isinstance(row, dict) and "sources" in row:
            spoken = _supervisions(path) if spoken is None else spoken
            row = {**row, "recording": row, "supervisions": spoken.get(row.get("id", ""), [])}
        if isinstance(row, dict) and "tracks" in row:
            raise DataError(f"{place}: expected {row.get('id')!r} to be the whole of a recording, came a mix: {AGAIN}")
        name = check_cut(place, row, again="the file")
        yield FoundCut(place, row, _where(place, name, row))


def _supervisions(recordings: str) -> Mapping[str, list[Any]]:
    """Supervisions by recording, of the file beside that of the recordings; none if there is no such file."""
    from fsspec.core import url_to_fs

    folder, sign, name = recordings.rpartition("/")
    path = f"{folder}{sign}{name.replace(RECORDINGS, SUPERVISIONS)}"
    with told(path):
        system, own = url_to_fs(path)
        there = path != recordings and system.exists(own)
    found: dict[str, list[Any]] = defaultdict(list)
    for place, row in read_lines(path) if there else ():
        match row:
            case {"recording_id": str(recording), "start": int() | float(), "duration": int() | float()}:
                found[recording].append(row)
            case _:
                raise DataError(f"{place}: expected a supervision of a recording, got {row!r:.60}: write it again")
    return found


def _where(place: str, name: str, cut: Mapping[str, Any]) -> Row:
    """Path or URL of a cut's recording, which the cut must be the whole of, unchanged."""
    recording: Any = cut.get("recording")
    match recording:
        case {"duration": int() | float() as whole, "sources": [{"type": "file" | "url", "source": str(source)}]}:
            pass
        case _:
            raise DataError(f"{place}: expected {name!r} to have a file or a URL, came {recording!r:.60}: {AGAIN}")
    part = cut.get("start", 0) > NEAR or abs(cut["duration"] - whole) > NEAR
    # The mean over channels is heard, where this is one of them alone.
    channel = isinstance(cut.get("channel"), int) and len(recording.get("channel_ids") or ()) > 1
    if part or channel or _changed(recording):
        raise DataError(f"{place}: expected {name!r} to be the whole of a recording, came a part or a change: {AGAIN}")
    return {"path": source if REMOTE in source else str(Path(source).absolute())}


def _changed(recording: Mapping[str, Any]) -> bool:
    """Whether Lhotse would change more than the rate of a recording as it reads it."""
    return any(each.get("name") != "Resample" for each in recording.get("transforms") or ())
