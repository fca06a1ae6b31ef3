"""Writes the manifest of what Lhotse wrote; recordings stay where they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.speech.indexing.cut import Part, Row, clip_row
from mergekit_speech.speech.indexing.listing import LINES, read_listing
from mergekit_speech.speech.indexing.shar import find_shards


def index(
    roots: Mapping[str, str],
    data: Path,
    folder: str,
    *,
    label: str | None = None,
    overwrite: bool = False,
    on_part: Callable[[int, int], None] = lambda _done, _parts: None,
) -> dict[str, int]:
    """Writes a manifest of the cuts or recordings of each split, with the place of each recording.

    A cut's custom fields, and those of its supervisions, become fields of the clip; so do `text` and `speaker`, and
    `segments` where a cut has several supervisions, each with a speaker.

    Args:
        roots: What each split is made of, by the name of the split; paths or URLs. A folder is a Shar; a file of lines
            holds cuts of whole recordings, or recordings, whose supervisions lie beside it.
        data: The data folder; its other folders stay as they are.
        folder: Name of the folder to make in it.
        label: Field that becomes `label`, such as "speaker"; None leaves `label` as it is.
        overwrite: Whether a folder that is there is replaced.
        on_part: Called with the number of shards and files done, and of all.

    Returns:
        Number of clips by split.

    Raises:
        SettingsError: No split is given.
        DataError: Something is absent, incomplete or malformed, cannot be reached, or cannot be a clip; or two cuts
            have one id.
        OutputError: The folder exists and `overwrite` is not set, or cannot be written.
    """
    if not roots:
        raise SettingsError("expected something for each split, came none: give train=ROOT valid=ROOT test=ROOT")
    check_free(data / folder, overwrite=overwrite)
    parts = [(split, part) for split, root in roots.items() for part in _parts(root)]
    rows: dict[str, Row] = {}
    counts = dict.fromkeys(roots, 0)
    for number, (split, part) in enumerate(parts, start=1):
        for found in part.read():
            row = clip_row(found, split, label)
            if row["id"] in rows:
                where = rows[row["id"]]["path"]
                raise DataError(
                    f"{part.name}: two cuts are called {row['id']!r}, the other is in {where}: keep one of them"
                )
            rows[row["id"]] = row
            counts[split] += 1
        on_part(number, len(parts))
    with whole_folder(data / folder, overwrite=overwrite) as partial:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        (partial / "manifest.jsonl").write_text(lines, encoding="utf-8")
    return counts


def _parts(root: str) -> list[Part]:
    return [read_listing(root)] if root.endswith(LINES) else find_shards(root)
