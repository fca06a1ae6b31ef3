"""Query by example: splits, rows and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.qbe import TASK
from tests.speech.corpus import make_clip, write_manifest

Row = Mapping[str, object]


def queries(terms: str, split: str = "query") -> list[Row]:
    return [{"id": f"{split}-{term}{number}", "label": term, "split": split} for term in terms for number in (1, 2)]


def documents(*labels: object) -> list[Row]:
    return [{"id": f"doc{number}", "label": label, "split": "doc"} for number, label in enumerate(labels)]


DOCUMENTS = documents("a", "b", "c", ["a", "d"], [])


def refuse(data: Path) -> str:
    with pytest.raises(DataError) as caught:
        TASK.folds(data)
    return str(caught.value)


def terms_of(clips: Sequence[Clip]) -> str:
    return "".join(sorted({TASK.text_of(clip) for clip in clips if clip.split != "doc"}))


def test_every_third_term_validates(tmp_path: Path) -> None:
    write_manifest(tmp_path, "qbe", [*queries("abcdefg"), *DOCUMENTS])
    splits = TASK.splits(tmp_path)
    assert (terms_of(splits.valid), terms_of(splits.test)) == ("be", "acdfg")
    searched = [clip.id for clip in splits.test if clip.split == "doc"]
    assert searched == [clip.id for clip in splits.valid if clip.split == "doc"] == [row["id"] for row in DOCUMENTS]
    assert not splits.train


def test_validation_queries_are_taken_as_they_are(tmp_path: Path) -> None:
    write_manifest(tmp_path, "qbe", [*queries("ab"), *queries("cd", "query_valid"), *DOCUMENTS])
    splits = TASK.splits(tmp_path)
    assert (terms_of(splits.valid), terms_of(splits.test)) == ("cd", "ab")


@pytest.mark.parametrize(
    ("rows", "gone"),
    [
        (queries("ab"), "doc"),
        (DOCUMENTS, "query"),
        ([*queries("a"), *DOCUMENTS], "query_valid"),
        ([*queries("a", "query_valid"), *DOCUMENTS], "query"),
    ],
)
def test_missing_clips(tmp_path: Path, rows: list[Row], gone: str) -> None:
    path = write_manifest(tmp_path, "qbe", rows)
    assert refuse(tmp_path) == (
        f"{path}: no clip for split {gone!r}; task qbe needs 'doc' (to be searched), 'query', and 'query_valid' or"
        " queries of two terms"
    )


@pytest.mark.parametrize(("said", "count", "purpose"), [("b", 2, "test"), ("a", 2, "choose by")])
def test_queries_that_are_nowhere_said(tmp_path: Path, said: str, count: int, purpose: str) -> None:
    path = write_manifest(tmp_path, "qbe", [*queries("ab"), *documents(said)])
    assert refuse(tmp_path) == (
        f"{path}: none of the {count} queries to {purpose} is said in a clip of split 'doc': the labels of both must be"
        " the same words"
    )


def test_query_without_a_term(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "qbe", [{"split": "query", "label": ["a"]}, *DOCUMENTS])
    assert refuse(tmp_path) == f"{path}:1: label must be a string, got ['a']"


@pytest.mark.parametrize("label", [3, None, "", ["a", 1]])
def test_clip_to_search_without_terms(tmp_path: Path, label: object) -> None:
    path = write_manifest(tmp_path, "qbe", [*queries("ab"), *documents("a", label)])
    assert refuse(tmp_path) == (
        f"{path}:6: label of a clip to search must be a string or a list of strings, got {label!r}"
    )


def frames(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((length, 6)).astype(np.float32)


def searched() -> tuple[dict[str, np.ndarray], list[Clip]]:
    """Two words spoken twice each, the second time amid noise, a query that nobody says, and a short one."""
    one, two = frames(1, 9), frames(2, 9)
    answers = {
        "q1": one,
        "q2": two,
        "q3": frames(3, 9),
        "q4": two[:4],
        "d1": np.concatenate([frames(4, 7), one, frames(5, 8)]),
        "d2": np.concatenate([frames(6, 12), two]),
        "d3": frames(7, 30),
    }
    labels = {"q1": "one", "q2": "two", "q3": "three", "q4": "two", "d1": ["one"], "d2": "two", "d3": []}
    clips = [make_clip(name, 1.0, "query" if name[0] == "q" else "doc", label=labels[name]) for name in answers]
    return answers, clips


def test_rows_by_hand() -> None:
    rows = TASK.measure(*searched())
    # The third query is said nowhere, so it is no item.
    assert rows["hits"].tolist() == [[True, False, False], [False, True, False], [False, True, False]]
    assert rows["scores"].argmax(axis=1)[:2].tolist() == [0, 1]
    assert rows["scores"].mean(axis=1) == pytest.approx([0, 0, 0], abs=1e-5)
    assert rows["scores"].std(axis=1) == pytest.approx([1, 1, 0], abs=1e-4)
    # Fewer than five frames match all clips alike: one hit of three.
    assert rows["precision"] == pytest.approx([1, 1, 1 / 3])


def test_figures_by_hand() -> None:
    rows = TASK.measure(*searched())
    assert TASK.figures(rows) == pytest.approx({"mtwv": 2 / 3, "map": (1 + 1 + 1 / 3) / 3})
    drawn = TASK.draws(rows, np.array([[1, 1, 0], [0, 1, 1]]))
    assert drawn["mtwv"] == pytest.approx([1, 1 / 2])
    assert drawn["map"] == pytest.approx([1, 2 / 3])


def test_there_is_nothing_to_train() -> None:
    assert not TASK.trains
    assert len(TASK.labels([])) == 0
    for builder in (TASK.tuning_head, TASK.probe_head):
        with pytest.raises(SettingsError) as caught:
            builder(8, 2)
        assert str(caught.value) == "task 'qbe' compares hidden states as they are: it trains no head"


def test_answer_is_the_hidden_state_where_there_is_audio() -> None:
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    first, second = TASK.decode(hidden, torch.tensor([3, 1]), Labels(()))
    assert first.tolist() == hidden[0].tolist()
    assert second.tolist() == [[6, 7]]


def test_real_queries(speech: Path) -> None:
    splits = TASK.splits(speech)
    assert [sum(clip.split == "query" for clip in part) for part in (splits.valid, splits.test)] == [18, 42]
    assert sum(clip.split == "doc" for clip in splits.test) == 300
