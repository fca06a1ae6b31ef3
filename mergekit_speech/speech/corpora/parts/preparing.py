"""Writes the folders of a corpus into a data folder: all of them, or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

READERS = 16
"""Headers that are read at once."""


def prepare(
    corpus: Corpus,
    source: Source,
    data: Path,
    folders: Sequence[str] = (),
    *,
    train_hours: float | None = None,
    overwrite: bool = False,
    on_clip: Callable[[int, int], None] = lambda _done, _clips: None,
) -> dict[str, dict[str, int]]:
    """Reads a corpus and writes its manifests; recordings stay where they are, save for those that are cut.

    Args:
        corpus: What to read.
        source: Where it is.
        data: The data folder, made where there is none; its other folders stay as they are.
        folders: Which of the corpus' folders to make; all by default.
        train_hours: Hours of the training split to keep, from its beginning; all by default.
        overwrite: Whether folders that are there are replaced.
        on_clip: Called with the number of clips done, and of all.

    Returns:
        Number of clips by folder and split.

    Raises:
        SettingsError: The corpus has no such folder, or `train_hours` is not above 0.
        DataError: The corpus is incomplete or malformed, or a recording cannot be read.
        OutputError: A folder exists and `overwrite` is not set, or cannot be written.
    """
    if train_hours is not None and not train_hours > 0:
        raise SettingsError(f"expected hours of training speech above 0, came {train_hours!r}")
    chosen = _choose(corpus, source.corpus, folders)
    for name in chosen:
        check_free(data / name, overwrite=overwrite)
    if not source.root.is_dir():
        raise DataError(f"{source.corpus}: expected a folder {source.root}, came none: get it from {source.url}")
    read = {name: corpus.folders[name](source) for name in chosen}
    _refuse_repeats(source, read)
    durations = _durations(source, [entry for folder in read.values() for entry in folder.entries], on_clip)
    if train_hours is not None:
        read = {name: _shorten(folder, durations, 3600 * train_hours) for name, folder in read.items()}
    with ExitStack() as stack:
        for name, folder in read.items():
            partial = stack.enter_context(whole_folder(data / name, overwrite=overwrite))
            _write(folder, name, partial, durations)
    return {name: _count(folder.entries) for name, folder in read.items()}


def _choose(corpus: Corpus, name: str, folders: Sequence[str]) -> list[str]:
    for folder in folders:
        if folder not in corpus.folders:
            offer = ", ".join(corpus.folders)
            raise SettingsError(
                f"expected tasks that {name} serves ({offer}), came {folder!r}{suggestion(folder, corpus.folders)}"
            )
    return list(dict.fromkeys(folders)) or list(corpus.folders)


def _refuse_repeats(source: Source, read: Mapping[str, Folder]) -> None:
    for name, folder in read.items():
        first: dict[str, Entry] = {}
        for entry in folder.entries:
            if entry.id in first:
                raise DataError(
                    f"{source.corpus}: two clips of {name} are called {entry.id!r}, {first[entry.id].path} and"
                    f" {entry.path}: keep one of them"
                )
            first[entry.id] = entry


def _durations(source: Source, entries: Sequence[Entry], on_clip: Callable[[int, int], None]) -> dict[Path, float]:
    """Seconds of each recording, by its header."""
    paths = list(dict.fromkeys(entry.path for entry in entries))
    durations: dict[Path, float] = {}
    faults: list[str] = []
    with ThreadPoolExecutor(READERS) as pool:
        for path, found in zip(paths, pool.map(_duration, paths), strict=True):
            if isinstance(found, float):
                durations[path] = found
            else:
                faults.append(f"{path} {found}")
            on_clip(len(durations), len(paths))
    if faults:
        raise DataError(
            f"{source.corpus}: {len(faults)} of {len(paths)} recordings cannot be used, the first: {faults[0]}; unpack"
            f" the corpus again, from {source.url}"
        )
    return durations


def _duration(path: Path) -> float | str:
    import soundfile

    if not path.is_file():
        return "does not exist"
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError) as fault:
        return f"cannot be decoded ({str(fault).splitlines()[0]})"
    return info.frames / info.samplerate if info.frames else "holds no samples"


def _shorten(folder: Folder, durations: Mapping[Path, float], seconds: float) -> Folder:
    """Ends the training split with the clip that fills up the seconds."""
    kept, heard = list[Entry](), 0.0
    for entry in folder.entries:
        if entry.split == "train":
            if heard >= seconds:
                continue
            heard += entry.cut[1] - entry.cut[0] if entry.cut else durations[entry.path]
        kept.append(entry)
    return replace(folder, entries=kept)


def _write(folder: Folder, name: str, partial: Path, durations: Mapping[Path, float]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(folder, name, partial, durations))
    (partial / "manifest.jsonl").write_text(lines, encoding="utf-8")
    for file, text in folder.files.items():
        (partial / file).write_text(text, encoding="utf-8")


def _rows(folder: Folder, name: str, partial: Path, durations: Mapping[Path, float]) -> Iterator[dict[str, object]]:
    for entry in folder.entries:
        path, duration = str(entry.path.absolute()), durations[entry.path]
        if entry.cut:
            path, duration = f"{name}/audio/{entry.id}.flac", _cut(entry, partial / "audio" / f"{entry.id}.flac")
        yield {"id": entry.id, "path": path, "duration": round(duration, 6), "split": entry.split, **entry.fields}


def _cut(entry: Entry, path: Path) -> float:
    import soundfile

    assert entry.cut
    path.parent.mkdir(exist_ok=True)
    with soundfile.SoundFile(entry.path) as recording:
        rate = recording.samplerate
        start, end = (round(seconds * rate) for seconds in entry.cut)
        recording.seek(min(start, recording.frames))
        samples = recording.read(end - start, dtype="int16")
    if not len(samples):
        raise DataError(
            f"{entry.path}: expected a recording of at least {entry.cut[1]:g} s, came"
            f" {recording.frames / rate:g} s, so clip {entry.id!r} would be empty: unpack the corpus again"
        )
    soundfile.write(path, samples, rate)
    return float(len(samples) / rate)


def _count(entries: Sequence[Entry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.split] = counts.get(entry.split, 0) + 1
    return counts
