"""Speaker verification: splits and trials, loss, rows and error rates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.asv import TASK, TRIALS
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.xvector import Voices
from tests.speech.corpus import make_clip, write_manifest

Row = Mapping[str, object]
PAIRS = (("t1", "t2", 1), ("t1", "u1", 0), ("u1", "u2", 1))


def rows(speakers: Sequence[str], split: str, clips: int = 2, duration: float = 3.0) -> list[Row]:
    return [
        {"id": f"{name}{number}", "speaker": name, "split": split, "duration": duration}
        for name in speakers
        for number in range(1, clips + 1)
    ]


TRAIN, TEST = rows("abcdefgh", "train"), rows("tu", "test")


def write(data: Path, clips: Sequence[Row], pairs: Sequence[tuple[str, str, int]] = PAIRS) -> Path:
    path = write_manifest(data, "asv", clips)
    lines = [json.dumps({"enroll": one, "test": other, "label": label}) for one, other, label in pairs]
    (data / "asv" / "trials.jsonl").write_text("\n".join(lines))
    return path


def refuse(data: Path) -> str:
    with pytest.raises(DataError) as caught:
        TASK.folds(data)
    return str(caught.value)


def speakers_of(clips: Sequence[Clip]) -> str:
    return "".join(sorted({TASK.text_of(clip) for clip in clips}))


def test_test_clips_carry_the_trials_of_the_list(tmp_path: Path) -> None:
    write(tmp_path, [*TRAIN, *TEST])
    carried = {clip.id: clip.fields[TRIALS] for clip in TASK.splits(tmp_path).test}
    assert carried == {"t1": [("t2", True), ("u1", False)], "t2": [], "u1": [("u2", True)], "u2": []}


def test_without_a_validation_split_speakers_are_held_out(tmp_path: Path) -> None:
    write(tmp_path, [*TRAIN, *TEST])
    splits = TASK.splits(tmp_path)
    assert (speakers_of(splits.train), speakers_of(splits.valid)) == ("bcdfgh", "ae")
    assert [clip.fields[TRIALS] for clip in splits.valid] == [
        [("a2", True), ("e1", False), ("e2", False)],
        [("e1", False), ("e2", False)],
        [("e2", True)],
        [],
    ]


def test_a_validation_split_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, [*TRAIN, *rows("vw", "valid"), *TEST])
    splits = TASK.splits(tmp_path)
    assert (speakers_of(splits.train), speakers_of(splits.valid)) == ("abcdefgh", "vw")


def test_validation_takes_a_few_clips_of_each_speaker(tmp_path: Path) -> None:
    write(tmp_path, [*TRAIN, *rows("vw", "valid", clips=12), *TEST])
    assert len(TASK.splits(tmp_path).valid) == 20


def test_short_training_clips_are_left_out(tmp_path: Path) -> None:
    short = rows("z", "train", duration=2.0)
    write(tmp_path, [*TRAIN, *short, *rows("vw", "valid", duration=1.0), *rows("tu", "test", duration=1.0)])
    splits = TASK.splits(tmp_path)
    assert "z" not in speakers_of(splits.train)
    assert speakers_of(splits.valid) == "vw"


def test_training_clips_that_are_all_short(tmp_path: Path) -> None:
    path = write(tmp_path, [*rows("abcd", "train", duration=1.5), *TEST])
    assert refuse(tmp_path) == (
        f"{path}: task asv trains on clips of more than 2 s, came none among 4 training clips: add longer ones"
    )


def test_too_few_speakers_to_hold_some_out(tmp_path: Path) -> None:
    path = write(tmp_path, [*rows("abc", "train"), *TEST])
    assert refuse(tmp_path) == (
        f"{path}: no clip has split 'valid', and 3 training speakers are too few to hold some out: task asv needs"
        " validation clips or four training speakers"
    )


@pytest.mark.parametrize("valid", [rows("v", "valid", clips=3), rows("vw", "valid", clips=1)])
def test_validation_clips_that_make_one_kind_of_pair(tmp_path: Path, valid: list[Row]) -> None:
    path = write(tmp_path, [*TRAIN, *valid, *TEST])
    assert refuse(tmp_path) == (
        f"{path}: task asv validates on pairs of clips of one speaker and of two, came {len(valid)} validation clips of"
        f" {len({row['speaker'] for row in valid})} speakers: add some to split 'valid'"
    )


@pytest.mark.parametrize(("gone", "kept"), [("train", [*TEST, *rows("vw", "valid")]), ("test", TRAIN)])
def test_empty_split(tmp_path: Path, gone: str, kept: list[Row]) -> None:
    path = write(tmp_path, kept)
    assert refuse(tmp_path) == f"{path}: no clip has split {gone!r}; task asv needs train, valid and test"


def test_speaker_in_training_and_test(tmp_path: Path) -> None:
    path = write(tmp_path, [*TRAIN, *TEST, {"id": "b9", "speaker": "b", "split": "test"}])
    said = refuse(tmp_path)
    assert said.startswith(f"{path}:21: test clip 'b9' is spoken by 'b', as is train clip 'b2'")


def test_speaker_who_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path, [*TRAIN, *TEST, {"speaker": 7}])
    assert refuse(tmp_path) == f"{path}:21: speaker must be a string, got 7"


def test_mismatched_trial_list(tmp_path: Path) -> None:
    write(tmp_path, [*TRAIN, *TEST], [*PAIRS, ("t1", "a1", 0)])
    assert refuse(tmp_path).startswith(
        f"{tmp_path / 'asv' / 'trials.jsonl'}:4: trial names clip 'a1', which is no test clip of the manifest"
    )


def test_figures_depend_on_manifest_and_trial_list(tmp_path: Path) -> None:
    path = write(tmp_path, [*TRAIN, *TEST])
    assert TASK.files(tmp_path) == [path, tmp_path / "asv" / "trials.jsonl"]


def test_loss_by_hand() -> None:
    voices = Voices(torch.zeros(1, 4), torch.tensor([[0.6, 0.1]]))
    # The right cosine leads by 0.5, of which the margin takes 0.4.
    loss = TASK.loss(voices, torch.tensor([9]), [torch.tensor([0])])
    assert float(loss) == pytest.approx(math.log1p(math.exp(-30 * 0.1)), abs=1e-6)


def test_rows_by_hand() -> None:
    embeddings = {"t1": [1, 0], "t2": [3, 4], "u1": [0, 2], "u2": [0, 0]}
    answers = {name: np.array(vector, dtype=np.float32) for name, vector in embeddings.items()}
    trials: dict[str, Any] = {"t1": [("t2", True), ("u1", False)], "t2": [], "u1": [("t2", False), ("u2", True)]}
    clips = [make_clip(name, speaker=name[0], trials=trials.get(name, [])) for name in embeddings]
    found = TASK.measure(answers, clips)
    # A silent embedding is like no other.
    assert found["score"].tolist() == pytest.approx([0.6, 0, 0.8, 0])
    assert found["target"].tolist() == [True, False, False, True]
    assert found["group"].tolist() == [0, 0, 1, 1]
    assert TASK.figures(found) == pytest.approx({"eer": 0.5, "min_dcf": 1.0})


def test_draws_are_the_figures_of_repeated_trials() -> None:
    rng = np.random.default_rng(0)
    found = {"score": rng.random(20).astype(np.float32), "target": rng.random(20) < 0.4, "group": np.zeros(20)}
    counts = rng.integers(0, 4, (6, 20))
    drawn = TASK.draws(found, counts)
    for place, count in enumerate(counts):
        figures = TASK.figures({name: column.repeat(count) for name, column in found.items()})
        assert {name: values[place] for name, values in drawn.items()} == pytest.approx(figures)


def test_answer_is_the_embedding() -> None:
    voices = Voices(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, 5))
    assert [row.tolist() for row in TASK.decode(voices, torch.tensor([9, 9]), Labels(()))] == [[1, 2], [3, 4]]


def test_head_learns_to_tell_two_voices() -> None:
    torch.manual_seed(0)
    head = TASK.probe_head(6, 2)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    hidden, lengths = torch.randn(2, 20, 6, generator=torch.Generator().manual_seed(1)), torch.tensor([20, 17])
    losses = []
    for _ in range(4):
        loss = TASK.loss(head(hidden, lengths), lengths, [torch.tensor([0]), torch.tensor([1])])
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert losses[-1] < losses[0]


def test_real_trials(speech: Path) -> None:
    splits = TASK.splits(speech)
    assert len(TASK.labels(splits.train)) == 42
    assert len({TASK.text_of(clip) for clip in splits.valid}) == 6
    assert sum(len(clip.fields[TRIALS]) for clip in splits.test) == 3978
    assert min(clip.duration for clip in splits.train) > 2
