"""Tables say what clips say, whatever that is."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import Address
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


def test_recording_that_is_no_file_is_refused() -> None:
    clip = replace(make_clip("a"), path=Address("s3://bucket/a.flac"))
    with pytest.raises(DataError) as caught:
        number([clip])
    assert str(caught.value) == (
        "manifest.jsonl:a: s3prl reads files alone, and clip s3://bucket/a.flac is none: copy it into a file and"
        " correct the manifest, or use --engine native"
    )


def test_clips_are_called_by_number() -> None:
    clips = [make_clip("a b"), make_clip("c/d")]
    assert number(clips) == {"0": clips[0], "1": clips[1]}
