"""Tiny trees in the layout of official corpora."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mergekit_speech.registry import CORPORA
from mergekit_speech.speech.corpora.parts.corpus import Source
from mergekit_speech.speech.corpora.parts.preparing import prepare
from tests.speech.corpus import noise, save


def sound(path: Path, seconds: float = 0.05) -> Path:
    """A few milliseconds of noise."""
    return save(path, noise(seconds))


def write(path: Path, *lines: str) -> Path:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def prepared(
    name: str, root: Path, data: Path, folders: Sequence[str] = (), lexicon: Path | None = None
) -> Mapping[str, Mapping[str, int]]:
    """Prepares a corpus; returns clips by folder and split."""
    corpus = CORPORA.load(name)
    return prepare(corpus, Source(name, corpus.url, root, lexicon), data, folders)


def rows(data: Path, folder: str) -> list[dict[str, Any]]:
    """The lines of a manifest."""
    return [json.loads(line) for line in (data / folder / "manifest.jsonl").read_text().splitlines()]


def librispeech(root: Path) -> Path:
    """Two clips of one speaker a split."""
    for part, speaker in (("train-clean-100", "103"), ("dev-clean", "84"), ("test-clean", "61")):
        chapter = root / "LibriSpeech" / part / speaker / "7"
        names = [f"{speaker}-7-000{number}" for number in range(2)]
        write(chapter / f"{speaker}-7.trans.txt", f"{names[0]} HELLO WORLD", f"{names[1]} WORLD")
        for name in names:
            sound(chapter / f"{name}.flac", 0.3)
    return root


def speech_commands(root: Path, *, archive: bool = True) -> Path:
    """A known and an unknown word by three speakers, and noise."""
    tree = root / "speech_commands_v0.01"
    for word in ("yes", "bed"):
        for speaker in ("0a7c2a8d", "1b63157b", "2aca1e72"):
            sound(tree / word / f"{speaker}_nohash_0.wav")
    sound(tree / "_background_noise_" / "pink_noise.wav", 4.2)
    write(tree / "validation_list.txt", "yes/1b63157b_nohash_0.wav", "bed/1b63157b_nohash_0.wav")
    write(tree / "testing_list.txt", "yes/2aca1e72_nohash_0.wav", "bed/2aca1e72_nohash_0.wav")
    if archive:
        for folder in ("yes", "_unknown_"):
            sound(root / "speech_commands_test_set_v0.01" / folder / "2aca1e72_nohash_0.wav")
        sound(root / "speech_commands_test_set_v0.01" / "_silence_" / "0.wav")
    return root
