"""What goes into s3prl's tables, and what its words mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.s3prl_engine.forms import FORMS, form_of
from mergekit_speech.superb.s3prl_engine.tables import Row, number
from tests.speech.corpus import make_clip, noise, save, saved_clip

TABLE = Path("test.csv")


def rows(task: str, *clips: Clip, table: Path = TABLE) -> Sequence[Row]:
    return FORMS[task].rows(TASKS.load(task), number(clips), table)


def answers(task: str, *clips: Clip, key: str = "prediction", said: Sequence[Any]) -> dict[str, Any]:
    batch = {"unique_name": np.array([str(place) for place in range(len(clips))], dtype=object), key: said}
    return dict(FORMS[task].answers(TASKS.load(task), [batch], number(clips)))


def test_labels() -> None:
    clip = make_clip("x", label="null")
    assert rows("ks", clip) == [{"id": "0", "wav_path": "x.wav", "label": "null"}]
    assert answers("ks", clip, said=["null"]) == {"x": "null"}


def test_labels_of_slots_come_back_whatever_is_in_them() -> None:
    slots = {"place": "hall; left", "action": "turn  on"}
    (row,) = rows("ic", make_clip("x", slots=slots))
    assert row["labels"] == "turn%20%20on;hall%3B%20left"
    assert answers("ic", make_clip("x", slots=slots), said=[row["labels"].split(";")]) == {"x": slots}


def test_phones_and_characters() -> None:
    clip = make_clip("x", phones=["HH", "AY"], text="A B")
    assert rows("pr", clip)[0]["transcription"] == "HH AY"
    assert answers("pr", clip, said=["HH AY HH"]) == {"x": ["HH", "AY", "HH"]}
    assert rows("asr", clip)[0]["transcription"] == "A B"
    assert answers("asr", clip, said=["A B"]) == {"x": ["A", " ", "B"]}


def test_slots_in_a_text() -> None:
    clip = make_clip("x", phrases=[("to the", None), ("old town", "to:city"), ("O", "O")])
    (row,) = rows("sf", clip)
    assert (row["transcription"], row["iob"]) == ("to the old town O", "O O to%3Acity> to%3Acity> O>")
    said = "to B-to%3Acity> a E-to%3Acity>B-O> O E-O> B-"
    marked = ["t", "o", " ", "B-to:city", "a", "E-to:city", "B-O", "O", "E-O", " ", "B", "-"]
    assert answers("sf", clip, said=[said]) == {"x": marked}


def test_words_that_s3prl_cannot_score() -> None:
    with pytest.raises(DataError) as caught:
        rows("sf", make_clip("x", phrases=[("at 5:30", "when")]))
    assert str(caught.value) == (
        "manifest.jsonl:x: s3prl cannot score slots with ':' or ';' in their words, as clip 'x' has: spell them out, or"
        " use --engine native"
    )


def test_voices() -> None:
    one = make_clip("x", speaker="a", trials=[("y", True)])
    other = make_clip("y", speaker="a", trials=[])
    assert rows("asv", one, other, table=Path("train.csv"))[0] == {"id": "0", "wav_path": "x.wav", "spk": "a"}
    (trial,) = rows("asv", one, other)
    assert trial == {"id1": "0", "id2": "1", "wav_path1": "x.wav", "wav_path2": "y.wav", "label": "1"}
    found = answers("asv", one, other, key="spk_embedding", said=(torch.ones(2), torch.zeros(2)))
    np.testing.assert_array_equal(found["x"], [1, 1])


def test_turns(tmp_path: Path) -> None:
    turns = [[0.0, 0.5, "c d"], [0.2, 1.0, "a"], [0.5, 1.0, "e"]]
    clip = saved_clip(tmp_path, "x", noise(1.0), segments=turns)
    found = rows("sd", clip, table=tmp_path / "test.csv")
    assert [(row["speaker"], row["start_sec"], row["end_sec"]) for row in found] == [
        ("0-1", "0.0", "0.5"),
        ("0-0", "0.2", "1.0"),
    ]
    assert {row["wav_path"] for row in found} == {str(clip.path)}


def test_recordings_of_another_rate_are_brought_to_ours(tmp_path: Path) -> None:
    path = save(tmp_path / "x.wav", np.zeros((8000, 2)), rate=8000)
    clip = replace(make_clip("x", segments=[[0.0, 0.5, "a"]]), path=path)
    (row,) = rows("sd", clip, table=tmp_path / "test.csv")
    assert row["wav_path"] == str(tmp_path / "test-0.wav")
    assert float(row["duration"]) == 1.0


def test_a_task_that_s3prl_has_not() -> None:
    with pytest.raises(SettingsError) as caught:
        form_of(replace(TASKS.load("ks"), name="kss"))
    assert str(caught.value) == (
        "expected a task of SUPERB for --engine s3prl, one of pr, asr, ks, sid, ic, sf, er, asv, sd, came 'kss'"
        " (did you mean 'ks'?): use --engine native"
    )
