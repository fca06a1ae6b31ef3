"""Which clips are heard, and in which half."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.analysis.utterances import draw_utterances
from mergekit_speech.errors import DataError, SettingsError
from tests.speech.corpus import write_manifest


def _data(folder: Path) -> Path:
    rows = [{"id": f"u{n}", "path": f"audio/{n}.wav", "duration": 1.0, "split": "test"} for n in range(9)]
    write_manifest(folder, "one", rows)
    write_manifest(folder, "two", rows[:4])
    return folder


def test_every_recording_comes_once(tmp_path: Path) -> None:
    found = draw_utterances(_data(tmp_path), (), None, 0)
    assert (len(found.fitted), len(found.scored)) == (4, 5)
    assert len({clip.path for clip in (*found.fitted, *found.scored)}) == 9


def test_the_seed_decides(tmp_path: Path) -> None:
    data = _data(tmp_path)
    first, again, other = (draw_utterances(data, ["one"], 4, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first.fitted) + len(first.scored) == 4
    assert draw_utterances(data, ["two"], None, 0).fitted[0].source.startswith(str(data / "two"))


def test_too_few_clips(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected at least 12 clips in .*, came 9: name more folders"):
        draw_utterances(_data(tmp_path), ["one"], 12, 0)
    write_manifest(tmp_path, "lonely", [{"id": "a", "path": "a.wav", "duration": 1.0, "split": "test"}])
    with pytest.raises(DataError, match=r"expected at least 2 clips in .*, came 1"):
        draw_utterances(tmp_path, ["lonely"], None, 0)


def test_settings_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected at least 2 clips, one for each half, came 1: raise --clips"):
        draw_utterances(tmp_path, (), 1, 0)
    with pytest.raises(SettingsError, match=r"expected a seed of at least 0, came -1"):
        draw_utterances(tmp_path, (), None, -1)
