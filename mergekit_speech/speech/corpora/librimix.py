"""Libri2Mix (16 kHz, max, mix_both) for diarization, in the Kaldi folders that SUPERB's preparation writes.

ROOT holds `train`, `dev` and `test`, each with `wav.scp`, `segments` and `utt2spk`. A path in `wav.scp` that is not
absolute is relative to ROOT.
"""

from __future__ import annotations

from collections import defaultdict

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

SPLITS = {"train": "train", "dev": "valid", "test": "test"}


def _sd(source: Source) -> Folder:
    return Folder([entry for part, split in SPLITS.items() for entry in _part(source, part, split)])


def _part(source: Source, part: str, split: str) -> list[Entry]:
    speakers = _table(source, f"{part}/utt2spk")
    turns: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for line in source.lines(f"{part}/segments"):
        try:
            name, recording, start, end = line.text.split()
            turns[recording].append((float(start), float(end), speakers[name]))
        except (ValueError, KeyError) as fault:
            raise line.fault(f"an utterance of {part}/utt2spk, a recording, start and end") from fault
    entries = []
    for name, path in sorted(_table(source, f"{part}/wav.scp").items()):
        heard = sorted(turns[name])
        fields = {"speaker": sorted({speaker for _, _, speaker in heard}), "segments": heard}
        entries.append(Entry(name, source.root / path, split, fields))
    return entries


def _table(source: Source, name: str) -> dict[str, str]:
    table = {}
    for line in source.lines(name):
        match line.text.split(maxsplit=1):
            case [key, value]:
                table[key] = value
            case _:
                raise line.fault("a name and what belongs to it")
    return table


CORPUS = Corpus(
    title="LibriMix",
    about="Libri2Mix, 16 kHz, max, mix_both",
    licence="CC BY 4.0 (LibriSpeech), CC BY-NC 4.0 (WHAM!)",
    size="made from 7 GB and 17 GB",
    url="https://github.com/s3prl/LibriMix",
    folders={"sd": _sd},
)
