"""Speech Commands v1: ten words, other words and silence, by the official lists, as SUPERB takes it.

ROOT holds `speech_commands_v0.01`, and `speech_commands_test_set_v0.01` to test as SUPERB does; without the latter,
`testing_list.txt` names the test clips. Silence is cut from the background noise, second by second: every tenth second
validates, and, without the test archive, every tenth one tests. SUPERB trains on whole files of noise.
"""

from __future__ import annotations

import re
from pathlib import Path

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE, NOISE = "_unknown_", "_silence_", "_background_noise_"
TREE, TEST = "speech_commands_v0.01", "speech_commands_test_set_v0.01"
EVERY = 10
SPEAKER = re.compile(r"([0-9a-f]{8})_nohash_")


def _ks(source: Source) -> Folder:
    archive = source.root / TEST
    tree = source.within(TREE)
    splits = {
        line.text: split
        for name, split in (("validation_list.txt", "valid"), ("testing_list.txt", "test"))
        for line in tree.lines(name)
    }
    if archive.is_dir():
        tests = [_entry(path, "test") for path in source.files(f"{TEST}/*/*.wav")]
    else:
        tests = [_entry(tree.path(name), "test") for name in sorted(splits) if splits[name] == "test"]
    learnt = []
    for path in tree.files("[!_]*/*.wav"):
        split = splits.get(path.relative_to(tree.root).as_posix(), "train")
        if split != "test":
            learnt.append(_entry(path, split))
    return Folder([*learnt, *_silences(tree, with_test=not archive.is_dir()), *tests])


def _entry(path: Path, split: str) -> Entry:
    label = path.parent.name if path.parent.name in (*WORDS, SILENCE) else UNKNOWN
    found = SPEAKER.search(path.name)
    speaker = {"speaker": found[1]} if found else {}
    return Entry(f"{split}-{path.parent.name}-{path.stem}", path, split, {"label": label, **speaker})


def _silences(tree: Source, *, with_test: bool) -> list[Entry]:
    import soundfile

    cuts = [
        (path, second)
        for path in tree.files(f"{NOISE}/*.wav")
        for second in range(int(soundfile.info(str(path)).duration))
    ]
    entries = []
    for number, (path, second) in enumerate(cuts):
        split = {1: "valid", 2: "test" if with_test else "train"}.get(number % EVERY, "train")
        name = f"{SILENCE}-{path.stem}-{second:03}"
        entries.append(Entry(name, path, split, {"label": SILENCE}, (second, second + 1)))
    return entries


CORPUS = Corpus(
    title="Speech Commands v1",
    about="ten words, other words, silence",
    licence="CC BY 4.0",
    size="1.5 GB",
    url="http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz and speech_commands_test_set_v0.01.tar.gz",
    folders={"ks": _ks},
)
