"""Turns, their frames, and the loss that forgives the order of speakers: by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.activity import as_fractions, as_frames, order_free_loss, read_turns
from mergekit_speech.tasks.parts.stretches import Stretch
from tests.speech.corpus import make_clip


def test_turns_are_read_in_order() -> None:
    clip = make_clip(duration=10.0, segments=[[0, 2.5, "B"], [2, 10.04, "A"]])
    # What ends a little behind the recording ends with it.
    assert read_turns(clip, "segments") == [Stretch(0.0, 2.5, "B"), Stretch(2.0, 10.0, "A")]


@pytest.mark.parametrize("value", [None, [], "A", {"A": [0, 1]}])
def test_field_that_holds_no_list(value: object) -> None:
    with pytest.raises(DataError) as caught:
        read_turns(make_clip("x", segments=value), "segments")
    assert str(caught.value) == f"manifest.jsonl:x: segments must be a list of [start, end, speaker], got {value!r}"


@pytest.mark.parametrize(
    "row", [[0, 1], [1, 1, "A"], [-1, 1, "A"], [0, 10.2, "A"], [0, 1, ""], [0, 1, 2], ["0", 1, "A"], [math.nan, 1, "A"]]
)
def test_turn_that_is_none(row: list[object]) -> None:
    with pytest.raises(DataError) as caught:
        read_turns(make_clip("x", duration=10.0, segments=[[0, 1, "A"], row]), "segments")
    assert str(caught.value) == (
        f"manifest.jsonl:x: segments must hold [start, end, speaker] with seconds 0 ≤ start < end ≤ 10, got {row!r}"
    )


def test_frames_at_any_rate_by_hand() -> None:
    turns = as_fractions([Stretch(0, 5, "B"), Stretch(4, 10, "A"), Stretch(1, 3, "B")], duration=10)
    # A comes first by name; the middle of each frame decides: 1, 3, 5, 7, 9 seconds.
    assert as_frames(turns, 5, 2).tolist() == [[0, 1], [0, 1], [1, 0], [1, 0], [1, 0]]
    assert as_frames(turns, 10, 2)[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert as_frames(turns, 10, 2)[:, 1].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]


def test_one_speaker_leaves_the_other_column_silent() -> None:
    assert as_frames(as_fractions([Stretch(0, 1, "A")], duration=1), 3, 2).tolist() == [[1, 0]] * 3


def entropy(logit: float, target: int) -> float:
    return math.log1p(math.exp(-logit if target else logit))


def test_loss_by_hand() -> None:
    output = torch.tensor([[[2.0, -1.0], [0.5, 0.0]]])
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    straight = entropy(2, 1) + entropy(-1, 0) + entropy(0.5, 0) + entropy(0, 1)
    swapped = entropy(2, 0) + entropy(-1, 1) + entropy(0.5, 1) + entropy(0, 0)
    assert straight < swapped
    expected = straight / 2 / 2
    assert float(order_free_loss(output, torch.tensor([2]), [truth])) == pytest.approx(expected)
    # The order of speakers in truth has no say.
    assert float(order_free_loss(output, torch.tensor([2]), [truth.flip(1)])) == pytest.approx(expected)


def test_each_recording_takes_its_own_order() -> None:
    output = torch.tensor([[[9.0, -9.0]], [[9.0, -9.0]]])
    truth = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    assert float(order_free_loss(output, torch.tensor([1, 1]), truth)) < 1e-3


def test_one_order_holds_for_a_whole_recording() -> None:
    # The speakers change columns half-way: half of the frames are wrong either way.
    output = torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]])
    truth = [torch.tensor([[1.0, 0.0], [1.0, 0.0]])]
    assert float(order_free_loss(output, torch.tensor([2]), truth)) == pytest.approx(9 / 2, abs=1e-3)


def test_padding_has_no_say() -> None:
    output = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))
    lengths, truth = torch.tensor([6, 3]), [torch.ones(6, 2), torch.zeros(3, 2)]
    other = output.clone()
    other[1, 3:] = 50.0
    assert torch.equal(order_free_loss(output, lengths, truth), order_free_loss(other, lengths, truth))
