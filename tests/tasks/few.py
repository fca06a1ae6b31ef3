"""Data folders with a few of the real recordings, for tests that train for a few steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def few_speakers(speech: Path, data: Path) -> Path:
    """Folder `asv`: six training and four test speakers with three clips each, and the trials among them."""
    rows = _each(_read(speech, "asv"), lambda row: (row["split"], row["speaker"]), 3)
    speakers = {split: sorted({row["speaker"] for row in rows if row["split"] == split}) for split in ("train", "test")}
    kept = [row for row in rows if row["speaker"] in (*speakers["train"][:6], *speakers["test"][:4])]
    _write(speech, data, "asv", kept)
    test = [row for row in kept if row["split"] == "test"]
    trials = [
        {"enroll": one["id"], "test": other["id"], "label": int(one["speaker"] == other["speaker"])}
        for place, one in enumerate(test)
        for other in test[place + 1 :]
    ]
    (data / "asv" / "trials.jsonl").write_text(_lines(trials))
    return data


def few_conversations(speech: Path, data: Path) -> Path:
    """Folder `sd`: four training clips, two of each other split, and two meetings."""
    rows = [row for row in _read(speech, "sd") if row["split"] not in ("ami_train", "ami_valid")]
    return _write(speech, data, "sd", [*_each(rows, lambda row: row["split"], 2), *rows[2:4]])


def few_words(speech: Path, data: Path) -> Path:
    """Folder `qbe`: two queries of each of six words, and four clips to search of each of these and of other words."""
    rows = _read(speech, "qbe")
    words = ["_unknown_", *sorted({row["label"] for row in rows if row["split"] == "query"})[:6]]
    rows = [row for row in rows if row["label"] in words]
    queries = _each((row for row in rows if row["split"] == "query"), lambda row: row["label"], 2)
    return _write(
        speech,
        data,
        "qbe",
        [*queries, *_each((row for row in rows if row["split"] == "doc"), lambda row: row["label"], 4)],
    )


def aligned_phones(speech: Path, data: Path) -> Path:
    """Folder `pc`: twelve clips of each split, each with its phones spread evenly over it, for want of real times."""
    rows = _each(_read(speech, "pr"), lambda row: row["split"], 12)
    known = {phone for row in rows if row["split"] == "train" for phone in row["phones"]}
    kept = [{**row, "alignment": _spread(row["phones"], row["duration"])} for row in rows if {*row["phones"]} <= known]
    return _write(speech, data, "pc", kept)


def few_texts(speech: Path, data: Path) -> Path:
    """Folder `asr`: twenty training clips, and some clips of the other splits that have no other characters."""
    rows = _each(_read(speech, "asr"), lambda row: row["split"], 20)
    known = {letter for row in rows if row["split"] == "train" for letter in row["text"]}
    kept = (row for row in rows if {*row["text"]} <= known)
    return _write(speech, data, "asr", _each(kept, lambda row: row["split"], 20))


def few_orders(speech: Path, data: Path) -> Path:
    """Folder `slu`: the forty shortest training orders, and four of each other split that ask for nothing new."""
    rows = sorted(_read(speech, "slu"), key=lambda row: row["duration"])
    train = [row for row in rows if row["split"] == "train"][:40]
    known = {part for row in train for part in _parts(row)}
    others = (row for row in rows if row["split"] != "train" and known.issuperset(_parts(row)))
    return _write(speech, data, "slu", [*train, *_each(others, lambda row: row["split"], 4)])


def few_emotions(speech: Path, data: Path) -> Path:
    """Folder `er`: two clips of each emotion and fold."""
    return _write(speech, data, "er", _each(_read(speech, "er"), lambda row: (row["fold"], row["label"]), 2))


def few_names(speech: Path, data: Path) -> Path:
    """Folder `sid`: three speakers with two clips in each split."""
    rows = _read(speech, "sid")
    names = sorted({row["label"] for row in rows})[:3]
    kept = (row for row in rows if row["label"] in names)
    return _write(speech, data, "sid", _each(kept, lambda row: (row["split"], row["label"]), 2))


def few_unlabelled(speech: Path, data: Path, name: str) -> Path:
    """Folder NAME: four clips of Mandarin of each split."""
    return _write(speech, data, name, _each(_read(speech, "unlabelled_zh"), lambda row: row["split"], 4))


def _parts(order: Row) -> set[object]:
    """What a model of an order has a name for: values of slots, slots, characters."""
    return {*order["slots"].items(), *order["raw_slots"], *"".join(order["raw_slots"].values())}


def _spread(phones: Sequence[str], duration: float) -> list[tuple[float, float, str]]:
    step = duration / len(phones)
    return [(place * step, (place + 1) * step, phone) for place, phone in enumerate(phones)]


def _read(speech: Path, task: str) -> list[Row]:
    return [json.loads(line) for line in (speech / task / "manifest.jsonl").read_text().splitlines()]


def _each(rows: Iterable[Row], key: Callable[[Row], object], count: int) -> list[Row]:
    seen: dict[object, int] = {}
    kept = []
    for row in rows:
        seen[key(row)] = seen.get(key(row), 0) + 1
        if seen[key(row)] <= count:
            kept.append(row)
    return kept


def _write(speech: Path, data: Path, task: str, rows: Sequence[Row]) -> Path:
    (data / task).mkdir(parents=True)
    text = _lines({**row, "path": str(speech / row["path"])} for row in rows)
    (data / task / "manifest.jsonl").write_text(text)
    return data


def _lines(rows: Iterable[Row]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)
