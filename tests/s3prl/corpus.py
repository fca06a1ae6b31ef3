"""A data folder with clips of every task that s3prl has, a handful each, that a head can learn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tests.speech.corpus import Samples, noise, save, tone, write_manifest

Row = Mapping[str, object]
WORDS: Mapping[str, tuple[float, list[str], dict[str, str]]] = {
    "null": (300.0, ["N", "AH", "L"], {"action": "turn on", "place": "hall; left"}),
    "007": (900.0, ["S", "EH", "V"], {"action": "turn off", "place": "hall; left"}),
    "HIGH": (2700.0, ["HH", "AY"], {"action": "turn on", "place": "none"}),
}
"""Words that tables take for numbers or for nothing, and values that hold what parts s3prl's labels."""
CLIPS = {"train": 6, "valid": 3, "test": 3}
LONG = 2.6
"""Seconds of the clips of voices: s3prl drops what is not longer than 2 s."""


def write_corpus(data: Path) -> Path:
    """Writes clips and manifests."""
    words = list(_words(data))
    for task in ("pr", "asr", "ks", "sid", "er", "ic"):
        write_manifest(data, task, words)
    write_manifest(data, "sf", [{**word, "phrases": _phrases(word)} for word in words])
    write_manifest(data, "asv", list(_voices(data)))
    pairs = [("test-a-0", "test-a-1", 1), ("test-a-0", "test-b-0", 0), ("test-b-1", "test-a-1", 0)]
    lines = [json.dumps({"enroll": one, "test": other, "label": label}) for one, other, label in pairs]
    (data / "asv" / "trials.jsonl").write_text("\n".join(lines))
    write_manifest(data, "sd", list(_dialogues(data)))
    return data


def _phrases(word: Row) -> list[tuple[str, str | None]]:
    return [("say the", None), (f"{word['label']} word", "what"), ("now", "when")]


def _words(data: Path) -> Iterator[Row]:
    for split, count in CLIPS.items():
        for number in range(count):
            word = list(WORDS)[number % len(WORDS)]
            hertz, phones, slots = WORDS[word]
            seconds, name = 0.4 + 0.05 * number, f"{split} {word} {number}"
            save(data / "audio" / f"{name}.wav", tone(seconds, hertz) + noise(seconds, number))
            row = {"id": name, "duration": seconds, "split": split, "label": word, "phones": phones}
            yield {**row, "text": word, "slots": slots}


def _voices(data: Path) -> Iterator[Row]:
    for split, speakers in {"train": "cdef", "valid": "gh", "test": "ab"}.items():
        for speaker in speakers:
            for number in range(2):
                name = f"{split}-{speaker}-{number}"
                save(data / "audio" / f"{name}.wav", _voice(speaker, LONG, number))
                yield {"id": name, "duration": LONG, "split": split, "speaker": speaker}


def _dialogues(data: Path) -> Iterator[Row]:
    for split, count in {"train": 3, "valid": 2, "test": 2, "ami_test": 1}.items():
        for number in range(count):
            name = f"{split} dialogue {number}"
            turns = [(0.0, 0.9, "k"), (0.7, 1.5, "l"), (1.6, 2.0, "m")][: 3 if split == "ami_test" else 2]
            sound = np.zeros(32_000, dtype=np.float32)
            for start, end, speaker in turns:
                voice = _voice(speaker, end - start, number)
                sound[round(start * 16_000) :][: len(voice)] += voice
            save(data / "audio" / f"{name}.wav", sound)
            yield {"id": name, "duration": 2.0, "split": split, "segments": turns}


def _voice(speaker: str, seconds: float, seed: int) -> Samples:
    return (0.5 * tone(seconds, 200.0 + 90.0 * (ord(speaker) - ord("a"))) + noise(seconds, seed)).astype(np.float32)
