"""LibriSpeech."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import librispeech, prepared, rows, write


def test_texts_speakers_and_splits(tmp_path: Path) -> None:
    counts = prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["asr"])
    assert counts == {"asr": {"train": 2, "valid": 2, "test": 2}}
    first = rows(tmp_path / "data", "asr")[0]
    path = tmp_path / "in/LibriSpeech/train-clean-100/103/7/103-7-0000.flac"
    assert first == {
        "id": "103-7-0000",
        "path": str(path),
        "duration": 0.3,
        "split": "train",
        "speaker": "103",
        "text": "HELLO WORLD",
    }


def test_tasks_read_what_was_written(tmp_path: Path) -> None:
    prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data")
    for name in ("asr", "pr"):
        splits = TASKS.load(name).splits(tmp_path / "data")
        assert [len(splits.train), len(splits.valid), len(splits.test)] == [2, 2, 2]


def test_phones_of_cmudict_have_their_stress(tmp_path: Path) -> None:
    prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["pr"])
    assert rows(tmp_path / "data", "pr")[1]["phones"] == ["W", "ER1", "L", "D"]


def test_first_pronunciation_of_a_lexicon_counts(tmp_path: Path) -> None:
    lexicon = write(tmp_path / "lexicon.txt", "HELLO\tHH AH", "WORLD W ER", "WORLD V ER")
    prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["pr"], lexicon)
    assert rows(tmp_path / "data", "pr")[0]["phones"] == ["HH", "AH", "W", "ER"]


def test_clips_with_unknown_words_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lexicon = write(tmp_path / "lexicon.txt", "WORLD W ER")
    counts = prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["pr"], lexicon)
    assert counts == {"pr": {"train": 1, "valid": 1, "test": 1}}
    assert "1 words are not in" in caplog.text
    assert "such as HELLO: 3 of 6 clips are left out of pr" in caplog.text


@pytest.mark.parametrize(
    ("line", "said"),
    [("OTHER AA", "2 words are not in .*no clip is left for pr"), ("HELLO", "lexicon.txt:1: expected a word and its")],
)
def test_a_lexicon_of_no_use(line: str, said: str, tmp_path: Path) -> None:
    lexicon = write(tmp_path / "lexicon.txt", line)
    with pytest.raises(DataError, match=said):
        prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["pr"], lexicon)


def test_no_lexicon_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cmudict", None)
    with pytest.raises(DataError, match="expected a pronouncing lexicon for pr, came none: give one by --lexicon"):
        prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["pr"])


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    root = librispeech(tmp_path / "in")
    (root / "LibriSpeech/dev-clean").rename(tmp_path / "away")
    with pytest.raises(
        DataError, match=r"expected .*LibriSpeech/dev-clean, came none: get the corpus from https://www"
    ):
        prepared("librispeech", root, tmp_path / "data")


def test_a_line_without_text(tmp_path: Path) -> None:
    root = librispeech(tmp_path / "in")
    write(root / "LibriSpeech/test-clean/61/7/61-7.trans.txt", "61-7-0000")
    with pytest.raises(
        DataError, match=r"61-7.trans.txt:1: expected SPEAKER-CHAPTER-NUMBER and a text, got '61-7-0000'"
    ):
        prepared("librispeech", root, tmp_path / "data")
