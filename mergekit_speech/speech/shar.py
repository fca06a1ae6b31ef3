"""Manifests of Lhotse Shar folders: recordings stay in their tar files, and are read from there by their bytes."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.speech.address import REMOTE
from mergekit_speech.speech.manifest import BYTES, CLIP_FIELDS

CUTS = re.compile(r"cuts(.*)\.jsonl(?:\.gz)?")
SPOKEN = ("text", "speaker", "language", "gender")
"""What is taken of a supervision, beside its custom fields."""
Row = dict[str, Any]


def index_shar(
    roots: Mapping[str, str],
    data: Path,
    folder: str,
    *,
    label: str | None = None,
    overwrite: bool = False,
    on_shard: Callable[[int, int], None] = lambda _done, _shards: None,
) -> dict[str, int]:
    """Writes a manifest of the cuts of Shar folders, with the place of each recording in its tar file.

    A cut's custom fields, and those of its supervisions, become fields of the clip; so do `text` and `speaker`, and
    `segments` where a cut has several supervisions, each with a speaker.

    Args:
        roots: Folder or URL of the Shar of each split, by the name of the split.
        data: The data folder; its other folders stay as they are.
        folder: Name of the folder to make in it.
        label: Field that becomes `label`, such as "speaker"; None leaves `label` as it is.
        overwrite: Whether a folder that is there is replaced.
        on_shard: Called with the number of shards done, and of all.

    Returns:
        Number of clips by split.

    Raises:
        SettingsError: No split is given.
        DataError: A Shar folder is absent, incomplete or malformed, cannot be reached, or two cuts have one id.
        OutputError: The folder exists and `overwrite` is not set, or cannot be written.
    """
    if not roots:
        raise SettingsError("expected a Shar folder for each split, came none: give train=ROOT valid=ROOT test=ROOT")
    check_free(data / folder, overwrite=overwrite)
    shards = [(split, *shard) for split, root in roots.items() for shard in _find_shards(root)]
    rows: dict[str, Row] = {}
    counts = dict.fromkeys(roots, 0)
    for number, (split, cuts, tar) in enumerate(shards, start=1):
        for row in _read_shard(cuts, tar, split, label):
            if row["id"] in rows:
                where = rows[row["id"]]["path"]
                raise DataError(f"{cuts}: two cuts are called {row['id']!r}, the other is in {where}: keep one of them")
            rows[row["id"]] = row
            counts[split] += 1
        on_shard(number, len(shards))
    with whole_folder(data / folder, overwrite=overwrite) as partial:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        (partial / "manifest.jsonl").write_text(lines, encoding="utf-8")
    return counts


def _find_shards(root: str) -> list[tuple[str, str]]:
    """Cuts and tar file of each shard, as paths or URLs, in order."""
    from fsspec.core import url_to_fs

    with _told(root):
        system, path = url_to_fs(root)
        found = sorted(str(each) for each in system.glob(f"{path}/cuts*.jsonl*"))
    shards = []
    for each in found:
        place, _, name = each.rpartition("/")
        match = CUTS.fullmatch(name)
        if match:
            pair = each, f"{place}/recording{match[1]}.tar"
            shards.append(tuple(map(system.unstrip_protocol, pair)) if REMOTE in root else pair)
    if not shards:
        raise DataError(f"{root} is no Shar folder: expected files such as cuts.000000.jsonl.gz, came none; check ROOT")
    return [(cuts, tar) for cuts, tar in shards]


def _read_shard(cuts: str, tar: str, split: str, label: str | None) -> Iterator[Row]:
    members = _read_members(tar)
    for place, cut in _read_cuts(cuts):
        match cut:
            case {"id": str(name), "duration": int() | float() as duration}:
                pass
            case _:
                raise DataError(f"{place}: expected a cut with id and duration, got {cut!r:.60}: write the Shar again")
        if name not in members:
            raise DataError(f"{place}: expected the audio of cut {name!r} in {tar}, came none: write the Shar again")
        fields = _fields(cut)
        if label is not None:
            if label not in fields:
                came = ", ".join(fields) or "no fields"
                raise DataError(
                    f"{place}: expected the field {label!r} to become the label, came {came}: choose another"
                )
            fields["label"] = fields[label]
        own = {key: value for key, value in fields.items() if key not in (*CLIP_FIELDS, BYTES)}
        yield {
            "id": name,
            "path": tar,
            BYTES: members[name],
            "duration": round(duration, 6),
            "split": split,
            **own,
        }


def _read_members(tar: str) -> dict[str, tuple[int, int]]:
    """First byte and number of bytes of each recording, by the id of its cut."""
    import fsspec

    with _told(tar), fsspec.open(tar, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        found = [(*member.name.rpartition("."), member) for member in archive]
    # Beside each recording lies its description; a cut without audio has two empty files of these kinds.
    rest = ("json", "nodata", "nometa")
    return {stem: (member.offset_data, member.size) for stem, _, kind, member in found if kind not in rest}


def _read_cuts(cuts: str) -> Iterator[tuple[str, Any]]:
    import fsspec

    with _told(cuts), fsspec.open(cuts, "rt", encoding="utf-8", compression="infer") as file:
        for number, line in enumerate(file, start=1):
            yield f"{cuts}:{number}", json.loads(line)


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


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except ImportError as fault:
        raise DataError(
            f"{where} needs a package that is not installed ({fault}): pip install 'mergekit-speech[remote]'"
        ) from fault
    # File systems, tar files and gzip have errors of their own.
    except Exception as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise DataError(f"{where} cannot be read ({reason}): check its address, and that the Shar is whole") from fault
