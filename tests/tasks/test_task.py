"""Splits and targets of any task, and the five built-in ones on real speech."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.classification import ClassificationTask
from mergekit_speech.tasks.parts.ctc import CtcTask
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.slots import SlotTask
from mergekit_speech.tasks.parts.task import Task
from tests.speech.corpus import make_clip, write_manifest
from tests.tasks.definitions import classification_task, ctc_task

NAMES = ("asr", "pr", "ks", "sid", "er")
KS = classification_task("ks")
ROWS = [{"split": split, "label": label} for split in ("train", "valid", "test") for label in ("yes", "no")]


def refuse(task: Task, data: Path) -> str:
    with pytest.raises(DataError) as caught:
        task.splits(data)
    return str(caught.value)


def test_splits_hold_their_clips_in_order(tmp_path: Path) -> None:
    write_manifest(tmp_path, "ks", [*ROWS, {"split": "extra", "label": "maybe"}])
    splits = KS.splits(tmp_path)
    assert [clip.id for clip in splits.train] == ["clip1", "clip2"]
    assert [clip.id for clip in splits.valid] == ["clip3", "clip4"]
    assert [clip.id for clip in splits.test] == ["clip5", "clip6"]


@pytest.mark.parametrize("gone", ["train", "valid", "test"])
def test_empty_split(tmp_path: Path, gone: str) -> None:
    path = write_manifest(tmp_path, "ks", [row for row in ROWS if row["split"] != gone])
    assert refuse(KS, tmp_path) == f"{path}: no clip has split {gone!r}; task ks needs train, valid and test"


@pytest.mark.parametrize("split", ["valid", "test"])
def test_label_that_training_never_shows(tmp_path: Path, split: str) -> None:
    path = write_manifest(tmp_path, "ks", [*ROWS, {"split": split, "label": "yess"}])
    assert refuse(KS, tmp_path) == (
        f"{path}:7: label 'yess' of {split} clip 'clip7' does not occur in the training split, so no head can learn it:"
        " correct it, drop the clip, or add training clips; did you mean 'yes'?"
    )


def test_unknown_phone_in_a_test_clip(tmp_path: Path) -> None:
    rows = [{"split": split, "phones": ["AA", "B"]} for split in ("train", "valid", "test")]
    path = write_manifest(tmp_path, "pr", [*rows, {"split": "test", "phones": ["AA", "CH"]}])
    assert refuse(ctc_task("pr"), tmp_path).startswith(f"{path}:4: label 'CH' of test clip 'clip4' does not occur")


def test_answer_of_the_wrong_kind_in_training(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "ks", [*ROWS, {"split": "train", "label": 3}])
    assert refuse(KS, tmp_path) == f"{path}:7: label must be a string, got 3"


def test_missing_field(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "ks", [*ROWS, {"split": "test"}])
    assert refuse(KS, tmp_path).startswith(f"{path}:7: missing field 'label' (1 of 7 clips lack it)")


def test_targets_are_label_indices() -> None:
    targets = KS.targets([make_clip(label="yes"), make_clip(label="no")], Labels(("no", "yes")))
    assert [target.tolist() for target in targets] == [[1], [0]]
    assert {target.dtype for target in targets} == {torch.int64}
    with pytest.raises(DataError, match="label 'maybe' of train clip 'a' does not occur in the training split"):
        KS.targets([make_clip(label="maybe")], Labels(("no", "yes")))


@pytest.mark.parametrize("name", NAMES)
def test_definition_is_named_as_its_file_and_states_its_metrics(name: str) -> None:
    task: Task = TASKS.load(name)
    assert task.name == name
    assert task.title


def truth_of(task: Task, clip: Clip) -> object:
    if isinstance(task, ClassificationTask):
        return task.text_of(clip)
    if isinstance(task, SlotTask):
        return task.values(clip)
    assert isinstance(task, CtcTask)
    return task.symbols(clip)


@pytest.mark.parametrize(
    ("name", "labels"), [("asr", 28), ("pr", 40), ("ks", 12), ("sid", 48), ("er", 4), ("ic", 37), ("sf", 37)]
)
def test_real_speech_trains_and_scores(speech: Path, name: str, labels: int) -> None:
    task: Task = TASKS.load(name)
    splits = task.splits(speech)
    known = task.labels(splits.train)
    assert len(known) == pytest.approx(labels, abs=2 if name == "asr" else 0)
    answers = {clip.id: truth_of(task, clip) for clip in splits.test}
    expected = {metric.name: 0.0 if metric.lower_is_better else 1.0 for metric in task.metrics}
    assert task.figures(task.measure(answers, splits.test)) == expected
    assert not {clip.path for clip in splits.train} & {clip.path for clip in splits.test}


HIDDEN, LENGTHS = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([12, 7])


@pytest.mark.parametrize("name", NAMES)
def test_head_learns_a_batch(name: str) -> None:
    task: Task = TASKS.load(name)
    torch.manual_seed(0)
    head = task.tuning_head(8, 4).eval()
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses = []
    for _ in range(4):
        loss = task.loss(head(HIDDEN, LENGTHS), LENGTHS, [torch.tensor([1]), torch.tensor([3])])
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_heads_of_tuning_and_probing_are_decoded_alike(name: str) -> None:
    task: Task = TASKS.load(name)
    labels = Labels(("<blank>", "a", "b", "c"))
    for builder in (task.tuning_head, task.probe_head):
        with torch.no_grad():
            assert len(task.decode(builder(8, len(labels))(HIDDEN, LENGTHS), LENGTHS, labels)) == 2
