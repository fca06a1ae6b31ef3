"""Phoneme classification: labels of frames, loss, rows and accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.pc import NONE, TASK, label_frames
from tests.speech.corpus import make_clip, write_manifest

CLIP = make_clip(duration=1.0, alignment=[[0, 0.4, "a"], [0.6, 1.0, "b"]])
LABELS = Labels(("a", "b"))


def test_a_frame_takes_the_phone_at_its_middle() -> None:
    (target,) = TASK.targets([CLIP], LABELS)
    assert label_frames(target, 10).tolist() == [0] * 4 + [NONE] * 2 + [1] * 4
    assert label_frames(target, 5).tolist() == [0, 0, NONE, 1, 1]


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12), st.integers(1, 200))
def test_phones_that_follow_each_other_leave_no_frame_out(lengths: list[float], frames: int) -> None:
    total, start, rows = sum(lengths), 0.0, []
    for place, length in enumerate(lengths):
        rows.append([start / total, (start + length) / total, place])
        start += length
    rows[-1][1] = 1.0
    found = label_frames(torch.tensor(rows, dtype=torch.float64), frames).tolist()
    assert NONE not in found
    assert found == sorted(found)


def test_loss_passes_over_unlabelled_frames_and_padding() -> None:
    targets = TASK.targets([CLIP, CLIP], LABELS)
    output = torch.zeros(2, 12, 2)
    output[:, :4, 0] = output[:, 6:10, 1] = 20.0
    lengths = torch.tensor([10, 10])
    right = TASK.loss(output, lengths, targets)
    other = output.clone()
    other[:, 4:6, 0], other[:, 10:, 0] = 50.0, -50.0
    assert torch.equal(TASK.loss(other, lengths, targets), right)
    assert right < 1e-6
    assert TASK.loss(-output, lengths, targets) > 10


def test_accuracy_is_that_of_labelled_frames() -> None:
    clips = [CLIP, make_clip("c", duration=1.0, alignment=[[0, 1.0, "a"]])]
    rows = TASK.measure({"a": ["a"] * 10, "c": ["a"] * 5}, clips)
    assert rows["right"].tolist() == [4, 5]
    assert rows["frames"].tolist() == [8, 5]
    assert TASK.figures(rows) == {"acc": pytest.approx(9 / 13)}


def test_decoding_gives_a_label_a_frame() -> None:
    output = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 0.0]]])
    assert TASK.decode(output, torch.tensor([2]), LABELS) == [["a", "b"]]


@pytest.mark.parametrize(
    ("alignment", "fault"),
    [
        ([[0, 0.5, "a"], [0.4, 1, "b"]], "alignment must hold one label at a time, got 'b' from 0.4 s on while 'a'"),
        ([[0, 0.5]], r"alignment must hold \[start, end, phone\] with seconds 0 ≤ start < end ≤ 1, got \[0, 0.5\]"),
        ([], r"alignment must be a list of \[start, end, phone\], got \[\]"),
        ([[0, 1, "z"]], "label 'z' of test clip 'clip3' does not occur in the training split"),
    ],
)
def test_bad_alignments(alignment: object, fault: str, tmp_path: Path) -> None:
    good = [[0, 0.5, "a"], [0.5, 1, "b"]]
    rows = [{"split": split, "alignment": good} for split in ("train", "valid")]
    path = write_manifest(tmp_path, "pc", [*rows, {"split": "test", "alignment": alignment}])
    with pytest.raises(DataError, match=f"{path}:3: {fault}"):
        TASK.folds(tmp_path)
