"""TIMIT: 39 phones, silence among them, with the usual dev speakers and core test; SA sentences are left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Line, Source, read_lines


def _pr(source: Source) -> Folder:
    from lhotse.recipes.timit import get_phonemes, get_speakers

    folded: Mapping[str, str] = get_phonemes(39)
    dev, core = get_speakers()
    for name in ("TIMIT", "data"):
        source = source.within(name)
    entries = [_entry(path, "train", folded) for path in _spoken(source, "TRAIN")]
    for path in _spoken(source, "TEST"):
        speaker = path.parent.name.lower()
        split = "valid" if speaker in dev else "test" if speaker in core else None
        if split:
            entries.append(_entry(path, split, folded))
    return Folder(entries)


def _spoken(source: Source, part: str) -> list[Path]:
    return [path for path in source.files(f"{part}/DR*/*/*.PHN") if not path.stem.startswith("SA")]


def _entry(path: Path, split: str, folded: Mapping[str, str]) -> Entry:
    phones = [_phone(line, folded) for line in read_lines(path)]
    # The glottal stop has no counterpart among the 39.
    fields = {"speaker": path.parent.name, "phones": [phone for phone in phones if phone]}
    return Entry(f"{path.parent.name}-{path.stem}", path.with_suffix(".WAV"), split, fields)


def _phone(line: Line, folded: Mapping[str, str]) -> str:
    match line.text.split():
        case [_, _, phone] if phone in folded:
            return folded[phone]
    raise line.fault("start, end and one of TIMIT's 61 phones")


CORPUS = Corpus(
    title="TIMIT",
    about="dev speakers, core test, 39 phones",
    licence="LDC's",
    size="0.4 GB",
    url="https://catalog.ldc.upenn.edu/LDC93S1",
    folders={"pr": _pr},
)
