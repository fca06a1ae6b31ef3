"""Fluent Speech Commands: action, object and location, by the official lists, as SUPERB takes it."""

from __future__ import annotations

import csv

from mergekit_speech.errors import DataError
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

SLOTS = ("action", "object", "location")
COLUMNS = ("path", "speakerId", *SLOTS)
SPLITS = ("train", "valid", "test")


def _ic(source: Source) -> Folder:
    source = source.within("fluent_speech_commands_dataset")
    return Folder([entry for split in SPLITS for entry in _part(source, split)])


def _part(source: Source, split: str) -> list[Entry]:
    path = source.path(f"data/{split}_data.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise DataError(f"{path}: expected columns {', '.join(COLUMNS)}, came none called {', '.join(missing)}")
        return [_entry(source, row, split, f"{path}:{number}") for number, row in enumerate(rows, start=2)]


def _entry(source: Source, row: dict[str, str | None], split: str, place: str) -> Entry:
    values = {name: row[name] or "" for name in COLUMNS}
    if not all(values.values()):
        raise DataError(f"{place}: expected a text in each of {', '.join(COLUMNS)}, got {list(values.values())!r:.120}")
    path = source.root / values["path"]
    fields = {"speaker": values["speakerId"], "slots": {name: values[name] for name in SLOTS}}
    return Entry(f"{values['speakerId']}-{path.stem}", path, split, fields)


CORPUS = Corpus(
    title="Fluent Speech Commands",
    about="all of it",
    licence="Fluent.ai's, academic research only",
    size="1.5 GB",
    url="https://fluent.ai/fluent-speech-commands-a-dataset-for-spoken-language-understanding-research/",
    folders={"ic": _ic},
)
