"""Speaker diarization: splits, loss, the decision, rows and DER."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.activity import read_turns
from mergekit_speech.tasks.parts.diarization import Decision
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.stretches import Stretch
from mergekit_speech.tasks.sd import CHUNK, TASK, Diarizer
from tests.speech.corpus import make_clip, write_manifest

Row = Mapping[str, object]
ROWS: list[Row] = [
    {"split": "train", "duration": 4.0, "segments": [[0, 2, "a"], [1, 4, "b"]], "speaker": ["a", "b"]},
    {"split": "valid", "duration": 4.0, "segments": [[0, 4, "c"]], "speaker": ["c"]},
    {"split": "test", "duration": 4.0, "segments": [[0, 2, "d"], [2, 4, "e"]], "speaker": ["d", "e"]},
    {"split": "ami_test", "duration": 4.0, "segments": [[0, 1, "f"], [1, 2, "g"], [2, 4, "h"]]},
]


def refuse(data: Path) -> str:
    with pytest.raises(DataError) as caught:
        TASK.folds(data)
    return str(caught.value)


def test_meetings_are_test_clips(tmp_path: Path) -> None:
    write_manifest(tmp_path, "sd", ROWS)
    splits = TASK.splits(tmp_path)
    assert [clip.id for clip in splits.train] == ["clip1"]
    assert [clip.id for clip in splits.valid] == ["clip2"]
    assert [clip.id for clip in splits.test] == ["clip3", "clip4"]


def test_third_speaker_outside_of_meetings(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "sd", [{**ROWS[3], "split": "train"}, *ROWS])
    assert refuse(tmp_path) == (
        f"{path}:1: task sd tells 2 speakers apart, clip 'clip1' of split 'train' has 3: drop it, or put it into a"
        " split called ami_…"
    )


def test_malformed_turns_in_training(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "sd", [*ROWS, {"split": "train", "segments": []}])
    assert refuse(tmp_path) == f"{path}:5: segments must be a list of [start, end, speaker], got []"


def test_empty_split(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "sd", [ROWS[0], ROWS[2]])
    assert refuse(tmp_path) == f"{path}: no clip has split 'valid'; task sd needs train, valid and test"


def test_speaker_in_training_and_test(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "sd", [*ROWS, {**ROWS[2], "speaker": ["d", "a"]}])
    assert refuse(tmp_path).startswith(f"{path}:5: test clip 'clip5' is spoken by 'a', as is train clip 'clip1'")


def test_loss_takes_the_frames_that_the_encoder_has() -> None:
    clip = make_clip(duration=4.0, segments=[[0, 2, "a"], [1, 4, "b"]])
    targets = TASK.targets([clip], TASK.labels([clip]))
    for frames in (8, 20):
        middle = (np.arange(frames) + 0.5) * 4 / frames
        right = torch.tensor(np.stack([middle >= 1, middle < 2], axis=1) * 20.0 - 10).float()[None]
        assert float(TASK.loss(right, torch.tensor([frames]), targets)) < 1e-4
        assert float(TASK.loss(-right, torch.tensor([frames]), targets)) > 2


def answer(*rows: str) -> np.ndarray:
    """A row a speaker, a character a frame: tenths of the probability."""
    return np.array([[int(frame) / 10 for frame in row] for row in rows], dtype=np.float32).T


def test_answer_is_the_probability_where_there_is_audio() -> None:
    output = torch.tensor([[[0.0, 9.0], [0.0, -9.0]], [[0.0, 0.0], [5.0, 5.0]]])
    first, second = TASK.decode(output, torch.tensor([2, 1]), Labels(()))
    assert first.round().tolist() == [[0, 1], [0, 0]]
    assert second.tolist() == [[0.5, 0.5]]


def test_decision_rests_on_validation_clips() -> None:
    clip = make_clip("v", duration=4.0, segments=[[0, 2, "a"], [2, 4, "b"]])
    assert TASK.decide({"v": answer("66665555", "44446666")}, [clip]) == Decision(0.5, 1)
    assert TASK.decide({"v": answer("44442222", "22224444")}, [clip]) == Decision(0.3, 1)


def test_rows_and_figures_by_hand() -> None:
    clips = [
        make_clip("t", 4.0, "test", segments=[[0, 2, "a"], [2, 4, "b"]]),
        make_clip("u", 4.0, "test", segments=[[0, 4, "a"]]),
        make_clip("m", 4.0, "ami_test", segments=[[0, 1, "a"], [1, 2, "b"], [2, 4, "c"]]),
    ]
    said = {"t": answer("9999", "0099"), "u": answer("0009", "0000"), "m": answer("9900", "0099")}
    rows = TASK.measure(said, clips, Decision(0.5, 1))
    assert rows["missed"].tolist() == [0, 3, 0]
    assert rows["false_alarm"].tolist() == [2, 0, 0]
    assert rows["confusion"].tolist() == [0, 0, 1]
    assert rows["speech"].tolist() == [4, 4, 4]
    assert TASK.figures(rows) == pytest.approx({"der": 5 / 8, "der_ami": 1 / 4})
    undecided = TASK.measure(said, clips)
    assert all(np.array_equal(undecided[name], column) for name, column in rows.items())
    drawn = TASK.draws(rows, np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]]))
    assert drawn["der"] == pytest.approx([5 / 8, 1 / 2, 3 / 4])
    assert drawn["der_ami"] == pytest.approx([1 / 4, 1 / 4, np.nan], nan_ok=True)


def test_without_meetings_there_is_no_figure_for_them() -> None:
    clip = make_clip("t", 4.0, "test", segments=[[0, 4, "a"]])
    rows = TASK.measure({"t": answer("9999", "0000")}, [clip], Decision(0.5, 1))
    assert TASK.figures(rows) == {"der": 0.0}


def test_head_starts_anew_with_each_chunk() -> None:
    torch.manual_seed(0)
    head = Diarizer(3, 2, hidden=4)
    hidden = torch.randn(1, CHUNK + 5, 3)
    output = head(hidden, torch.tensor([CHUNK + 5]))
    assert output.shape == (1, CHUNK + 5, 2)
    assert torch.allclose(output[:, CHUNK:], head(hidden[:, CHUNK:], torch.tensor([5])), atol=1e-6)


def test_padding_has_no_say() -> None:
    torch.manual_seed(0)
    head, hidden = Diarizer(3, 2, hidden=4), torch.randn(2, 9, 3)
    other = hidden.clone()
    other[1, 4:] = 1e3
    lengths = torch.tensor([9, 4])
    assert torch.equal(head(hidden, lengths)[1, :4], head(other, lengths)[1, :4])


def _reference(path: Path) -> dict[str, list[Stretch]]:
    turns: dict[str, list[Stretch]] = {}
    for line in path.read_text().splitlines():
        _, name, _, start, length, _, _, speaker, *_ = line.split()
        turns.setdefault(name, []).append(Stretch(float(start), float(start) + float(length), speaker))
    return turns


def close(one: Sequence[Stretch], other: Sequence[Stretch]) -> bool:
    key = [sorted((turn.label, turn.start, turn.end) for turn in turns) for turns in (one, other)]
    return all(a[0] == b[0] and abs(a[1] - b[1]) + abs(a[2] - b[2]) < 0.01 for a, b in zip(*key, strict=True))


def test_real_recordings(speech: Path) -> None:
    splits = TASK.splits(speech)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [36, 8, 28]
    reference = _reference(speech / "sd" / "reference.rttm")
    assert all(close(read_turns(clip, "segments"), reference[clip.id]) for clip in splits.test)


def test_loss_is_the_mean_over_frames() -> None:
    assert TASK.items(torch.tensor([3, 4]), [torch.zeros(1), torch.zeros(1)]) == 7
