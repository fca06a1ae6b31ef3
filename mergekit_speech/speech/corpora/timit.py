"""TIMIT: when each of 39 phones is said, silence among them; the usual dev speakers and core test; no SA sentences.

Names of files and folders are in capitals, as the LDC gives them, or all in small letters, as some copies have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mergekit_speech.speech.clip import SAMPLE_RATE
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Line, Source, read_lines


def _phones(source: Source) -> Folder:
    from lhotse.recipes.timit import get_phonemes, get_speakers

    folded: Mapping[str, str] = get_phonemes(39)
    dev, core = get_speakers()
    for name in ("TIMIT", "timit", "data"):
        source = source.within(name)
    entries = [_entry(path, "train", folded) for path in _spoken(source, "TRAIN")]
    for path in _spoken(source, "TEST"):
        speaker = path.parent.name.lower()
        split = "valid" if speaker in dev else "test" if speaker in core else None
        if split:
            entries.append(_entry(path, split, folded))
    return Folder(entries)


def _spoken(source: Source, part: str) -> list[Path]:
    pattern = f"{part}/DR*/*/*.PHN"
    found = source.files(pattern.lower() if (source.root / part.lower()).is_dir() else pattern)
    return [path for path in found if not path.stem.upper().startswith("SA")]


def _entry(path: Path, split: str, folded: Mapping[str, str]) -> Entry:
    # The glottal stop has no counterpart among the 39.
    aligned = [stretch for stretch in (_stretch(line, folded) for line in read_lines(path)) if stretch[2]]
    speaker, recording = path.parent.name.upper(), path.with_suffix(".wav" if path.suffix.islower() else ".WAV")
    fields = {"speaker": speaker, "phones": [phone for *_, phone in aligned], "alignment": aligned}
    return Entry(f"{speaker}-{path.stem.upper()}", recording, split, fields)


def _stretch(line: Line, folded: Mapping[str, str]) -> tuple[float, float, str]:
    match line.text.split():
        case [start, end, phone] if phone in folded and start.isdecimal() and end.isdecimal():
            return int(start) / SAMPLE_RATE, int(end) / SAMPLE_RATE, folded[phone]
    raise line.fault("start, end and one of TIMIT's 61 phones")


CORPUS = Corpus(
    title="TIMIT",
    about="dev speakers, core test, 39 phones with their times",
    licence="LDC's",
    size="0.4 GB",
    url="https://catalog.ldc.upenn.edu/LDC93S1",
    folders={"pr": _phones, "pc": _phones},
)
