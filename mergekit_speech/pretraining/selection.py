"""Which clips may be heard in pre-training: none that any task of the data folder judges an encoder by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import manifest_folders, read_manifest


def pretraining_clips(data: Path, folders: Sequence[str], held_out_speakers: Sequence[str] = ()) -> list[Clip]:
    """Selects the training clips of some folders, each recording once.

    A recording that any manifest of the data folder puts outside its training split is left out: tasks share
    audio, and one task's training clip may be another's test clip. A split is for training if its name ends in
    `train`.

    Args:
        data: The data folder.
        folders: Folders whose training clips are wanted.
        held_out_speakers: Folders whose speakers outside the training split are left out of all others too.

    Raises:
        DataError: A manifest is unusable, or nothing is left.
    """
    manifests = {name: read_manifest(data, name) for name in manifest_folders(data)}
    held_out = {clip.path for clips in manifests.values() for clip in clips if not _trains(clip)}
    strangers = {
        speaker
        for name in held_out_speakers
        for clip in manifests.get(name) or read_manifest(data, name)
        if not _trains(clip)
        for speaker in _speakers(clip)
    }
    chosen: dict[Recording, Clip] = {}
    for name in folders:
        for clip in manifests.get(name) or read_manifest(data, name):
            if _trains(clip) and clip.path not in held_out and strangers.isdisjoint(_speakers(clip)):
                chosen.setdefault(clip.path, clip)
    if not chosen:
        raise DataError(f"no clip of {', '.join(folders)} in {data} is left for pre-training: all are held out")
    return list(chosen.values())


def _trains(clip: Clip) -> bool:
    return clip.split.endswith("train")


def _speakers(clip: Clip) -> Iterable[str]:
    speaker = clip.fields.get("speaker")
    if speaker is None:
        return []
    return map(str, speaker) if isinstance(speaker, list) else [str(speaker)]
