"""AISHELL-3: Mandarin at 44.1 kHz, to fine-tune on without labels."""

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

SPLITS = ("train", "test")


def _unlabelled(source: Source) -> Folder:
    source = source.within("AISHELL-3")
    return Folder(
        [
            Entry(path.stem, path, split, {"speaker": path.parent.name})
            for split in SPLITS
            for path in source.files(f"{split}/wav/*/*.wav")
        ]
    )


CORPUS = Corpus(
    title="AISHELL-3",
    about="all of it, unlabelled",
    licence="Apache 2.0",
    size="19 GB",
    url="https://www.openslr.org/93",
    folders={"aishell3": _unlabelled},
)
