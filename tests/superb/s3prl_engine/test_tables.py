"""Tables say what clips say, whatever that is."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.superb.s3prl_engine.tables import number, write_table
from tests.speech.corpus import make_clip

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@given(st.lists(TEXT, min_size=1))
def test_what_is_written_is_read(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        write_table(path, [{"id": str(place), "label": text} for place, text in enumerate(texts)])
        with path.open(newline="", encoding="utf-8") as file:
            assert [row["label"] for row in csv.DictReader(file)] == texts


def test_clips_are_called_by_number() -> None:
    clips = [make_clip("a b"), make_clip("c/d")]
    assert number(clips) == {"0": clips[0], "1": clips[1]}
