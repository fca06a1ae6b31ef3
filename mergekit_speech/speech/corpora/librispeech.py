"""LibriSpeech: train-clean-100, dev-clean and test-clean, as SUPERB takes them.

Phones are those of the lexicon with their stress, each word's first pronunciation, without silences.
"""

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source
from mergekit_speech.speech.corpora.parts.lexicon import pronounce

SPLITS = {"train-clean-100": "train", "dev-clean": "valid", "test-clean": "test"}


def _texts(source: Source) -> list[Entry]:
    source = source.within("LibriSpeech")
    return [entry for part, split in SPLITS.items() for entry in _part(source, part, split)]


def _part(source: Source, part: str, split: str) -> list[Entry]:
    source.path(part)
    entries = []
    for transcript in source.files(f"{part}/*/*/*.trans.txt"):
        for line in source.lines(str(transcript.relative_to(source.root))):
            name, _, text = line.text.partition(" ")
            if not text or name.count("-") != 2:
                raise line.fault("SPEAKER-CHAPTER-NUMBER and a text")
            fields = {"speaker": name.partition("-")[0], "text": text.strip()}
            entries.append(Entry(name, transcript.parent / f"{name}.flac", split, fields))
    return entries


def _asr(source: Source) -> Folder:
    return Folder(_texts(source))


def _pr(source: Source) -> Folder:
    return Folder(pronounce(_texts(source), source))


CORPUS = Corpus(
    title="LibriSpeech",
    about="train-clean-100, dev-clean, test-clean",
    licence="CC BY 4.0",
    size="7 GB",
    url="https://www.openslr.org/12",
    folders={"asr": _asr, "pr": _pr},
)
