"""Shar folders: recordings stay in their tar files, and are read from there by their bytes."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from functools import partial

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import REMOTE
from mergekit_speech.speech.indexing.cut import FoundCut, Part, check_cut
from mergekit_speech.speech.indexing.lines import read_lines, told
from mergekit_speech.speech.manifest import BYTES

CUTS = re.compile(r"cuts(.*)\.jsonl(?:\.gz)?")


def find_shards(root: str) -> list[Part]:
    """The shards of a Shar, in order.

    Args:
        root: Folder or URL.

    Raises:
        DataError: There is none, or it cannot be reached.
    """
    from fsspec.core import url_to_fs

    with told(root):
        system, path = url_to_fs(root)
        found = sorted(str(each) for each in system.glob(f"{path}/cuts*.jsonl*"))
    shards = []
    for each in found:
        place, _, name = each.rpartition("/")
        match = CUTS.fullmatch(name)
        if match:
            pair = each, f"{place}/recording{match[1]}.tar"
            cuts, tar = map(system.unstrip_protocol, pair) if REMOTE in root else pair
            shards.append(Part(cuts, partial(_read_shard, cuts, tar)))
    if not shards:
        raise DataError(
            f"{root} is no Shar folder: expected files such as cuts.000000.jsonl.gz, came none; name such a"
            " folder, or a file of cuts or recordings (.jsonl, .jsonl.gz)"
        )
    return shards


def _read_shard(cuts: str, tar: str) -> Iterator[FoundCut]:
    members = _read_members(tar)
    for place, cut in read_lines(cuts):
        name = check_cut(place, cut, again="the Shar")
        if name not in members:
            raise DataError(f"{place}: expected the audio of cut {name!r} in {tar}, came none: write the Shar again")
        yield FoundCut(place, cut, {"path": tar, BYTES: members[name]})


def _read_members(tar: str) -> dict[str, tuple[int, int]]:
    """First byte and number of bytes of each recording, by the id of its cut."""
    import fsspec

    with told(tar), fsspec.open(tar, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        found = [(*member.name.rpartition("."), member) for member in archive]
    # Beside each recording lies its description; a cut without audio has two empty files of these kinds.
    rest = ("json", "nodata", "nometa")
    return {stem: (member.offset_data, member.size) for stem, _, kind, member in found if kind not in rest}
