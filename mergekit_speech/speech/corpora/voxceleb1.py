"""VoxCeleb1: identification by `iden_split.txt`, verification by the trials of `veri_test2.txt` or `veri_test.txt`.

ROOT holds `dev/wav` and `test/wav`, or `wav` with both, and these lists. For verification the 40 speakers of the trials
test; clips of the others that `iden_split.txt` gives to validation validate, the rest trains, as in SUPERB.
"""

from __future__ import annotations

import json
from pathlib import Path

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Line, Source

META = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"
SPLITS = {"1": "train", "2": "valid", "3": "test"}
SPLIT_LIST = "iden_split.txt"
TRIAL_LISTS = ("veri_test2.txt", "veri_test.txt", "voxceleb1_test_v2.txt", "veri_test_class.txt")


def _sid(source: Source) -> Folder:
    return Folder([_entry(source, name, split, "label") for name, split in _usage(source).items()])


def _asv(source: Source) -> Folder:
    trials = _trials(source)
    named = {clip for _, enroll, test in trials for clip in (enroll, test)}
    tested = {_speaker(name) for name in named}
    usage = {name: split for name, split in _usage(source).items() if _speaker(name) not in tested}
    learnt = [
        _entry(source, name, "valid" if split == "valid" else "train", "speaker") for name, split in usage.items()
    ]
    rows = ({"enroll": _id(enroll), "test": _id(test), "label": label} for label, enroll, test in trials)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    tests = [_entry(source, name, "test", "speaker") for name in sorted(named)]
    return Folder([*learnt, *tests], {"trials.jsonl": text})


def _usage(source: Source) -> dict[str, str]:
    usage = {}
    for line in source.lines(SPLIT_LIST, f"{META}/{SPLIT_LIST}"):
        match line.text.split():
            case [number, name] if number in SPLITS and _is_clip(name):
                usage[name] = SPLITS[number]
            case _:
                raise line.fault("1, 2 or 3 and SPEAKER/VIDEO/CLIP.wav")
    return usage


def _trials(source: Source) -> list[tuple[int, str, str]]:
    name = next((name for name in TRIAL_LISTS if (source.root / name).is_file()), TRIAL_LISTS[0])
    return [_trial(line) for line in source.lines(name, f"{META}/{TRIAL_LISTS[0]}")]


def _trial(line: Line) -> tuple[int, str, str]:
    match line.text.split():
        case [("0" | "1") as label, enroll, test] if _is_clip(enroll) and _is_clip(test):
            return int(label), enroll, test
    raise line.fault("0 or 1 and two of SPEAKER/VIDEO/CLIP.wav")


def _entry(source: Source, name: str, split: str, field: str) -> Entry:
    return Entry(_id(name), _recording(source, name), split, {field: _speaker(name)})


def _recording(source: Source, name: str) -> Path:
    places = [source.root / folder / name for folder in ("dev/wav", "test/wav", "wav")]
    # A recording that is nowhere is told of with all others, when headers are read.
    return next((place for place in places if place.is_file()), places[0])


def _is_clip(name: str) -> bool:
    return name.count("/") == 2 and name.endswith(".wav")


def _speaker(name: str) -> str:
    return name.partition("/")[0]


def _id(name: str) -> str:
    return name.removesuffix(".wav").replace("/", "-")


CORPUS = Corpus(
    title="VoxCeleb1",
    about="identification and verification splits",
    licence="CC BY 4.0 (metadata)",
    size="38 GB",
    url="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html",
    folders={"sid": _sid, "asv": _asv},
)
