"""Which utterances an analysis hears, and which half of them a linear map is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import manifest_folders, read_manifest


@dataclass(frozen=True)
class Utterances:
    """Clips in two halves, none in both.

    Attributes:
        fitted: What linear maps are fitted on.
        scored: What they are scored on.
    """

    fitted: tuple[Clip, ...]
    scored: tuple[Clip, ...]


def draw_utterances(data: Path, folders: Sequence[str], count: int | None, seed: int) -> Utterances:
    """Draws clips of all splits, each recording once, and halves them.

    Args:
        data: Folder that holds `<folder>/manifest.jsonl`.
        folders: Whose clips; all that have a manifest if none is named.
        count: How many clips; None for all.
        seed: Decides which clips, and the half of each.

    Raises:
        DataError: A manifest is unusable, or there are fewer clips than two, or than `count`.
        SettingsError: `count` is below two, or the seed below zero.
    """
    if seed < 0:
        raise SettingsError(f"expected a seed of at least 0, came {seed!r}: correct it")
    if count is not None and count < 2:
        raise SettingsError(f"expected at least 2 clips, one for each half, came {count!r}: raise --clips")
    named = folders or manifest_folders(data)
    recordings = {clip.path: clip for folder in named for clip in read_manifest(data, folder)}
    found = list(recordings.values())
    if len(found) < (count or 2):
        raise DataError(f"expected at least {count or 2} clips in {data}, came {len(found)}: name more folders")
    drawn = [found[place] for place in np.random.default_rng(seed).permutation(len(found))[:count]]
    middle = len(drawn) // 2
    return Utterances(tuple(drawn[:middle]), tuple(drawn[middle:]))
