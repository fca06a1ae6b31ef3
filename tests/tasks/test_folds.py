"""Emotion recognition on its folds: who is tested when, and the mean over folds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from mergekit_speech.tasks.parts.folds import FoldedClassificationTask
from mergekit_speech.tasks.parts.rows import join_folds
from tests.speech.corpus import write_manifest


def er() -> FoldedClassificationTask:
    task = TASKS.load("er")
    assert isinstance(task, FoldedClassificationTask)
    return task


ER = er()
LABELS = ("sad", "happy")


def rows(folds: int, **fields: object) -> list[Mapping[str, object]]:
    return [
        {"label": label, "fold": fold, "speaker": f"s{fold}", **fields}
        for fold in range(1, folds + 1)
        for label in LABELS
    ]


def test_each_fold_is_tested_once_and_the_next_one_validates(tmp_path: Path) -> None:
    write_manifest(tmp_path, "er", rows(4))
    folds = ER.folds(tmp_path)
    assert [splits.fold for splits in folds] == [1, 2, 3, 4]
    heard = [
        [sorted({clip.fields["fold"] for clip in part}) for part in (splits.train, splits.valid, splits.test)]
        for splits in folds
    ]
    assert heard == [[[3, 4], [2], [1]], [[1, 4], [3], [2]], [[1, 2], [4], [3]], [[2, 3], [1], [4]]]
    assert {clip.split for clip in folds[2].test} == {"test"}
    assert ER.splits(tmp_path) == folds[0]


def test_without_folds_the_splits_count(tmp_path: Path) -> None:
    write_manifest(tmp_path, "er", [{"label": "sad", "split": split} for split in ("train", "valid", "test")])
    (splits,) = ER.folds(tmp_path)
    assert (splits.fold, len(splits.train), len(splits.valid), len(splits.test)) == (None, 1, 1, 1)


def test_figures_are_the_plain_mean_over_folds() -> None:
    first = {"truth": np.array(["a", "a", "b"]), "answer": np.array(["a", "b", "b"])}
    second = {"truth": np.array(["a"]), "answer": np.array(["b"])}
    found = ER.figures(join_folds([(1, first), (2, second)]))
    assert found == {"acc": pytest.approx((2 / 3 + 0) / 2), "uar": pytest.approx(((1 / 2 + 1) / 2 + 0) / 2)}


def test_a_fold_of_which_nothing_is_drawn_has_no_say() -> None:
    right, wrong = ({"truth": np.array(["a", "b"]), "answer": np.array(["a", said])} for said in "ba")
    joined = join_folds([(1, right), (2, wrong)])
    found = ER.draws(joined, np.array([[1, 1, 0, 0], [1, 1, 1, 1]]))
    assert found["acc"].tolist() == [1.0, 0.75]


def test_too_few_folds(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "er", rows(2))
    with pytest.raises(DataError) as caught:
        ER.folds(tmp_path)
    assert str(caught.value) == (
        f"{path}: expected at least 3 folds, to train, to validate and to test, came [1, 2]: divide the clips into"
        " more, or leave the field 'fold' out and name splits"
    )


@pytest.mark.parametrize("fold", [None, "1", 1.5, True])
def test_fold_that_is_no_number(tmp_path: Path, fold: object) -> None:
    path = write_manifest(tmp_path, "er", [*rows(3), {"label": "sad", "fold": fold}])
    with pytest.raises(DataError) as caught:
        ER.folds(tmp_path)
    assert str(caught.value) == f"{path}:7: fold must be a whole number, as on the other lines, got {fold!r}"


def test_speaker_of_two_folds_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, "er", rows(3, speaker="anna"))
    with pytest.raises(DataError, match=r"test clip 'clip1' is spoken by 'anna', as is train clip"):
        ER.folds(tmp_path)
