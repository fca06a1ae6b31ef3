"""QUESST 2014."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from tests.speech.corpora.trees import prepared, rows, sound, write

HOME = "quesst14Database"


def quesst14(root: Path) -> Path:
    base = root / HOME
    documents = [f"{HOME}/Audio/quesst14_0000{number}.wav" for number in (1, 2)]
    for name in documents:
        sound(root / name)
    write(base / "scoring/language_key_utterances.lst", *(f"{name} nnenglish" for name in documents))
    for part in ("dev", "eval"):
        query = f"quesst14_{part}_0001"
        sound(base / f"{part}_queries/{query}.wav")
        keys = (f"{HOME}/{part}_queries/{query}.wav nnenglish", f"{HOME}/{part}_queries/other.wav albanian")
        write(base / f"scoring/language_key_{part}.lst", *keys)
        truth = base / f"scoring/groundtruth_quesst14_{part}"
        terms = f'<termlist><term termid="{query}"><termtext>word_{part}</termtext></term></termlist>'
        write(truth / f"quesst14_{part}.tlist.xml", terms)
        # The ground truth of 2014 names queries; that of other years names their words.
        said = query if part == "eval" else f"word_{part}"
        write(truth / f"quesst14_{part}.rttm", f"LEXEME quesst14_00001 1 0.0 5.0 {said} lex <NA> <NA>")
    return root


def test_english_queries_and_what_clips_hold(tmp_path: Path) -> None:
    prepared("quesst14", quesst14(tmp_path / "in"), tmp_path / "data")
    found = {row["id"]: (row["split"], row["label"]) for row in rows(tmp_path / "data", "qbe")}
    assert found == {
        "quesst14_dev_0001": ("query_valid", "quesst14_dev_0001"),
        "quesst14_eval_0001": ("query", "quesst14_eval_0001"),
        "quesst14_00001": ("doc", ["quesst14_dev_0001", "quesst14_eval_0001"]),
        "quesst14_00002": ("doc", []),
    }
    assert len(TASKS.load("qbe").splits(tmp_path / "data").test) == 3


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("language_key_dev.lst", "a", "language_key_dev.lst:1: expected the path of a recording and its language"),
        ("groundtruth_quesst14_dev/quesst14_dev.rttm", "LEXEME a", "dev.rttm:1: expected LEXEME, a clip, a channel"),
        ("groundtruth_quesst14_dev/quesst14_dev.tlist.xml", "<a", "tlist.xml: expected an XML term list, came none"),
    ],
)
def test_malformed_files(name: str, line: str, said: str, tmp_path: Path) -> None:
    root = quesst14(tmp_path / "in")
    write(root / HOME / "scoring" / name, line)
    with pytest.raises(DataError, match=said):
        prepared("quesst14", root, tmp_path / "data")


def test_a_missing_ground_truth(tmp_path: Path) -> None:
    root = quesst14(tmp_path / "in")
    (root / HOME / "scoring/groundtruth_quesst14_eval/quesst14_eval.rttm").unlink()
    with pytest.raises(DataError, match=r"expected files .*groundtruth_quesst14_eval/\*.rttm, came none: get the corp"):
        prepared("quesst14", root, tmp_path / "data")
