"""The data of a bench's tasks, checked before anything is trained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError, SettingsError, StrategyError
from mergekit_speech.superb.assignment import read_assignments
from mergekit_speech.superb.settings import Overrides
from tests.superb.corpus import FEW, assignment, rewrite


@pytest.fixture
def data(tmp_path: Path, corpus: Path) -> Path:
    shutil.copytree(corpus, tmp_path / "data")
    return tmp_path / "data"


def test_assignment_holds_clips_labels_and_settings(corpus: Path) -> None:
    first, second = read_assignments(corpus, ["ks", "pr"], FEW)
    assert (first.task.name, second.task.name) == ("ks", "pr")
    (fold,) = first.folds
    assert fold.labels.names == ("high", "low", "middle")
    assert [len(part) for part in (fold.splits.train, fold.splits.valid, fold.splits.test)] == [18, 9, 9]
    assert len(first.clips) == 36
    assert first.settings is not None
    assert first.settings.steps == 8
    assert (first.goal.metric, first.goal.lower_is_better) == ("acc", False)
    assert (second.goal.metric, second.goal.lower_is_better) == ("per", True)


def test_digest_follows_the_manifest(data: Path) -> None:
    before = assignment(data, "ks").manifest
    assert before == assignment(data, "ks").manifest
    rewrite(data, "ks", {"note": 1})
    assert before != assignment(data, "ks").manifest


def test_label_that_training_lacks_names_the_task(data: Path) -> None:
    rewrite(data, "er", {"label": "shrill"}, split="test")
    with pytest.raises(
        DataError, match=r"task 'er': .*/er/manifest\.jsonl:\d+: label 'shrill' of test clip .* does not"
    ):
        read_assignments(data, ["ks", "er"], FEW)


def test_missing_field_names_the_task(data: Path) -> None:
    rewrite(data, "pr", {"phones": None})
    with pytest.raises(DataError, match=r"task 'pr': .*manifest\.jsonl:1: missing field 'phones'"):
        read_assignments(data, ["ks", "pr"], FEW)


def test_missing_manifest_names_the_task(corpus: Path) -> None:
    with pytest.raises(DataError, match=r"task 'sid': no manifest at .*/sid/manifest\.jsonl.* has manifests for: er"):
        read_assignments(corpus, ["sid"], FEW)


def test_missing_clip_names_the_task(data: Path) -> None:
    next((data / "audio").glob("test-*")).unlink()
    with pytest.raises(
        DataError, match=r"task 'ks': .*manifest\.jsonl:\d+: clip .*\.wav does not exist \(1 of 36 clips have no file\)"
    ):
        read_assignments(data, ["ks"], FEW)


def test_no_task_is_refused(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="expected at least one task to probe, came none: `msm tasks` lists them"):
        read_assignments(corpus, [], FEW)


def test_task_given_twice_is_refused(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="expected each task once, came 'ks' 2 times: name it once"):
        read_assignments(corpus, ["ks", "pr", "ks"], FEW)


def test_unknown_task_is_refused(corpus: Path) -> None:
    with pytest.raises(StrategyError, match=r"expected a task, came 'kss' \(did you mean 'ks'\?\)"):
        read_assignments(corpus, ["kss"], FEW)


def test_settings_are_checked_before_data(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="task 'ks': steps must be at least 1, got 0"):
        read_assignments(tmp_path / "gone", ["ks"], Overrides(steps=0))


def folded(data: Path) -> None:
    """Divides the clips of `er` into three folds."""
    path = data / "er" / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "fold": place // 3 % 3 + 1}) + "\n" for place, row in enumerate(rows)))


def test_all_folds_are_read_or_the_first_ones(data: Path) -> None:
    folded(data)
    assert [fold.splits.fold for fold in assignment(data, "er").folds] == [1, 2, 3]
    first = assignment(data, "er", replace(FEW, folds=2))
    assert [fold.splits.fold for fold in first.folds] == [1, 2]
    assert first.tested == sum(len(fold.splits.test) for fold in first.folds) == 12
    assert len(first.clips) == len({clip.id for clip in first.clips}) == 18
    assert len(assignment(data, "ks", replace(FEW, folds=2)).folds) == 1


def test_no_fold_is_refused(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="expected at least one fold to test, came 0: leave it out to test all"):
        read_assignments(corpus, ["er"], replace(FEW, folds=0))
