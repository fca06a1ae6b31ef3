"""Trial lists: read, and refused where they do not belong to the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.trials import Trial, pair_all, read_trials
from tests.speech.corpus import make_clip

ANN1, ANN2, BOB = (make_clip(name, label=name[:3]) for name in ("ann1", "ann2", "bob1"))
CLIPS = [ANN1, ANN2, BOB]
SAME, OTHER = '{"enroll": "ann1", "test": "ann2", "label": 1}', '{"enroll": "ann1", "test": "bob1", "label": 0}'


def write(folder: Path, *lines: str) -> Path:
    path = folder / "trials.jsonl"
    path.write_text("\n".join(lines))
    return path


def refuse(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_trials(path, CLIPS, "label")
    return str(caught.value)


def test_trials_in_order(tmp_path: Path) -> None:
    assert read_trials(write(tmp_path, SAME, OTHER, ""), CLIPS, "label") == [
        Trial(ANN1, ANN2, target=True),
        Trial(ANN1, BOB, target=False),
    ]


def test_every_pair_once() -> None:
    assert pair_all(CLIPS, "label") == [
        Trial(ANN1, ANN2, target=True),
        Trial(ANN1, BOB, target=False),
        Trial(ANN2, BOB, target=False),
    ]


def test_no_list(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    assert refuse(path) == (
        f'no trial list at {path}: expected a line {{"enroll": id, "test": id, "label": 0 or 1}} for each trial'
    )


def test_clip_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, SAME, '{"enroll": "ann1", "test": "bobb1", "label": 0}')
    assert refuse(path) == (
        f"{path}:2: trial names clip 'bobb1', which is no test clip of the manifest (did you mean 'bob1'?):"
        " list and manifest must belong together"
    )


def test_label_that_the_manifest_contradicts(tmp_path: Path) -> None:
    path = write(tmp_path, '{"enroll": "ann1", "test": "bob1", "label": 1}')
    assert refuse(path) == (
        f"{path}:1: label 1 contradicts the manifest, where 'ann1' is spoken by 'ann' and 'bob1' by 'bob':"
        " list and manifest must belong together"
    )


@pytest.mark.parametrize(
    ("kept", "missing"), [(OTHER, "of one speaker (label 1)"), (SAME, "of two speakers (label 0)")]
)
def test_one_kind_of_trial_alone(tmp_path: Path, kept: str, missing: str) -> None:
    path = write(tmp_path, kept)
    assert refuse(path) == (
        f"{path}: expected trials of both kinds, came none {missing}: no error rate can be measured"
    )


@pytest.mark.parametrize("line", ["ann1 ann2 1", "[1]", "3", '{"enroll": "ann1", "test": "ann2"}', "\xff"])
def test_line_that_is_no_trial(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, SAME, line)
    assert refuse(path) == (f'{path}:2: expected {{"enroll": id, "test": id, "label": 0 or 1}}, got {line!r}')


@pytest.mark.parametrize("label", ["2", "true", '"1"', "null"])
def test_label_that_is_neither(tmp_path: Path, label: str) -> None:
    path = write(tmp_path, f'{{"enroll": "ann1", "test": "ann2", "label": {label}}}')
    said = {"2": "2", "true": "True", '"1"': "'1'", "null": "None"}[label]
    assert refuse(path) == f"{path}:1: label must be 0 (two speakers) or 1 (one speaker), got {said}"
