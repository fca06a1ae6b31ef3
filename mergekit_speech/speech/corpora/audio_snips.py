"""Audio SNIPS: slots by the speakers of SUPERB's splits."""

from __future__ import annotations

from mergekit_speech.errors import DataError
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Line, Source

SPEAKERS = {
    "train": ("Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"),
    "valid": ("Aditi", "Amy", "Geraint", "Nicole"),
    "test": ("Brian", "Emma", "Raveena", "Russell"),
}
LIST = "all.iob.snips.txt"
OUTSIDE = "O"


def _sf(source: Source) -> Folder:
    source = source.within("SNIPS")
    phrases = {}
    for line in source.lines(LIST):
        name, _, rest = line.text.partition(" ")
        phrases[name] = _phrases(rest, line)
    return Folder([entry for split in SPEAKERS for entry in _part(source, split, phrases)])


def _part(source: Source, split: str, phrases: dict[str, list[list[str | None]]]) -> list[Entry]:
    entries = []
    for path in source.files(f"{split}/**/*.wav"):
        speaker = path.stem.partition("-")[0]
        # The archive has more recordings than texts, and more speakers than SUPERB takes.
        if speaker in SPEAKERS[split] and path.stem in phrases:
            entries.append(Entry(path.stem, path, split, {"speaker": speaker, "phrases": phrases[path.stem]}))
    if not entries:
        wanted = ", ".join(SPEAKERS[split])
        raise DataError(
            f"audio_snips: expected recordings of {wanted} in {source.root / split} that {LIST} names, came none:"
            f" get the corpus from {source.url}"
        )
    return sorted(entries, key=lambda entry: entry.id)


def _phrases(text: str, line: Line) -> list[list[str | None]]:
    said, _, tags = text.partition("\t")
    # Both begin with a mark and end with one, the latter with the intent.
    words, slots = said.split()[1:-1], tags.split()[1:-1]
    if not words or len(words) != len(slots):
        raise line.fault("a name, BOS, words, EOS, a tab, O, as many tags, and an intent")
    phrases: list[list[str | None]] = []
    for word, tag in zip(words, slots, strict=True):
        slot = None if tag == OUTSIDE else tag[2:]
        if phrases and phrases[-1][1] == slot and not tag.startswith("B-"):
            phrases[-1][0] = f"{phrases[-1][0]} {word}"
        else:
            phrases.append([word, slot])
    return phrases


CORPUS = Corpus(
    title="Audio SNIPS",
    about="SUPERB's sixteen voices",
    licence="see its README",
    size="not stated",
    url="https://github.com/aws-samples/aws-lex-noisy-spoken-language-understanding",
    folders={"sf": _sf},
)
