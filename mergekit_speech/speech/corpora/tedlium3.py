"""TED-LIUM 3, the legacy splits: talks are cut into their segments, which takes room for all of them as FLAC."""

from __future__ import annotations

from pathlib import Path

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Line, Source

SPLITS = {"train": "train", "dev": "valid", "test": "test"}
IGNORED = "ignore_time_segment_in_scoring"


def _asr(source: Source) -> Folder:
    for name in ("TEDLIUM_release-3", "legacy"):
        source = source.within(name)
    return Folder(
        [
            entry
            for part, split in SPLITS.items()
            for path in source.files(f"{part}/stm/*.stm")
            for line in source.lines(str(path.relative_to(source.root)))
            for entry in _segment(line, path, split)
        ]
    )


def _segment(line: Line, path: Path, split: str) -> list[Entry]:
    try:
        talk, _, speaker, start, end, _, *words = line.text.split()
        cut = (float(start), float(end))
    except ValueError as fault:
        raise line.fault("a talk, a channel, a speaker, start, end, a label and a text") from fault
    # Words like "don 't" are written in two.
    text = " ".join(word for word in words if word != "<unk>").replace(" '", "'")
    if text == IGNORED or not text:
        return []
    name = f"{talk}-{round(100 * cut[0]):07}-{round(100 * cut[1]):07}"
    return [Entry(name, path.parent.parent / "sph" / f"{talk}.sph", split, {"speaker": speaker, "text": text}, cut)]


CORPUS = Corpus(
    title="TED-LIUM 3",
    about="legacy splits, cut into segments",
    licence="CC BY-NC-ND 3.0",
    size="51 GB",
    url="https://www.openslr.org/51",
    folders={"asr": _asr},
)
