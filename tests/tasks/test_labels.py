"""Labels: made from the training split, strict about everything else."""

from __future__ import annotations

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.labels import Labels
from tests.speech.corpus import make_clip


def test_labels_are_sorted_and_distinct() -> None:
    assert Labels.of(["no", "yes", "no"]).names == ("no", "yes")


def test_blank_comes_first() -> None:
    labels = Labels.of("BA", blank=True)
    assert labels.names == ("<blank>", "A", "B")
    assert len(labels) == 3


def test_indices_follow_the_symbols() -> None:
    assert Labels(("a", "b", "c")).indices(["c", "a", "c"], make_clip()) == [2, 0, 2]


@pytest.mark.parametrize(("symbol", "hint"), [("lefd", "; did you mean 'left'?"), ("zzz", "")])
def test_unknown_label_names_clip_split_and_nearest(symbol: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        Labels(("left", "right")).indices([symbol], make_clip("x", split="test"))
    assert str(caught.value) == (
        f"manifest.jsonl:x: label {symbol!r} of test clip 'x' does not occur in the training split, so no head can"
        f" learn it: correct it, drop the clip, or add training clips{hint}"
    )
