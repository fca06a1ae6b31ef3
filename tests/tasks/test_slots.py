"""Intent classification: a softmax for each slot, figures by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.slots import SlotTask
from tests.speech.corpus import make_clip

LENGTHS = torch.tensor([5, 5])


def ic() -> SlotTask:
    task = TASKS.load("ic")
    assert isinstance(task, SlotTask)
    return task


IC = ic()


def said(name: str, action: str, place: str) -> Clip:
    return make_clip(name, slots={"action": action, "place": place})


TRAIN = [said("a", "on", "kitchen"), said("b", "off", "none"), said("c", "on", "hall")]
LABELS = IC.labels(TRAIN)


def test_labels_are_values_of_slots() -> None:
    assert LABELS.names == ("action=off", "action=on", "place=hall", "place=kitchen", "place=none")


def test_targets_say_which_labels_exclude_each_other_and_which_hold() -> None:
    (target,) = IC.targets(TRAIN[:1], LABELS)
    assert target.tolist() == [[0, 0, 1, 1, 1], [0, 1, 0, 1, 0]]


def test_loss_is_the_sum_over_slots_of_their_mean_cross_entropy() -> None:
    loss = IC.loss(torch.zeros(2, 5), LENGTHS, IC.targets(TRAIN[:2], LABELS))
    assert float(loss) == pytest.approx(math.log(2) + math.log(3))
    sure = torch.tensor([[-99.0, 0, 0, 0, 0]])
    assert float(IC.loss(sure, LENGTHS[:1], IC.targets(TRAIN[:1], LABELS))) == pytest.approx(math.log(3))


def test_decision_is_the_likeliest_value_of_each_slot() -> None:
    output = torch.tensor([[2.0, 1, 0, 9, 8], [0.0, 1, 7, 0, 0]])
    assert IC.decode(output, LENGTHS, LABELS) == [
        {"action": "off", "place": "kitchen"},
        {"action": "on", "place": "hall"},
    ]


def test_a_clip_is_right_when_all_of_its_slots_are() -> None:
    answers = {
        "a": {"action": "on", "place": "kitchen"},
        "b": {"action": "off", "place": "hall"},
        "c": {"action": "off", "place": "none"},
    }
    rows = IC.measure(answers, TRAIN)
    assert rows["whole"].tolist() == [1, 0, 0]
    assert IC.figures(rows) == {"acc": pytest.approx(1 / 3), "slot_acc": pytest.approx(3 / 6)}


def test_values_may_hold_the_sign_that_joins() -> None:
    clips = [make_clip("a", slots={"sum": "1=1"}), make_clip("b", slots={"sum": "x"})]
    labels = IC.labels(clips)
    assert IC.decode(torch.tensor([[1.0, 0]]), LENGTHS[:1], labels) == [{"sum": "1=1"}]


@pytest.mark.parametrize("value", [None, {}, [], "on", {"a=b": "c"}, {"a": ""}, {"a": 3}])
def test_field_of_another_kind(value: object) -> None:
    with pytest.raises(DataError) as caught:
        IC.values(make_clip("x", slots=value))
    assert str(caught.value) == (
        f"manifest.jsonl:x: slots must be an object with a text for each slot, whose name holds no '=', got {value!r}"
    )


OTHER = make_clip("x", slots={"action": "on"})


@pytest.mark.parametrize("read", [lambda: IC.labels([*TRAIN, OTHER]), lambda: IC.targets([OTHER], LABELS)])
def test_clip_with_other_slots_is_refused(read: Callable[[], object]) -> None:
    with pytest.raises(DataError) as caught:
        read()
    assert str(caught.value) == (
        "manifest.jsonl:x: expected a value for each of the slots action, place, as in the first training clip, came"
        " action: name all of them in every clip"
    )


def test_value_that_training_lacks_is_refused() -> None:
    with pytest.raises(DataError, match=r"label 'place=hal' .* does not occur in the training split.*'place=hall'"):
        IC.targets([said("x", "on", "hal")], LABELS)


def test_output_sizes_follow_the_data() -> None:
    head = IC.probe_head(8, len(LABELS))
    assert head(torch.randn(2, 5, 8), LENGTHS).shape == (2, 5)
    assert len(Labels(LABELS.names)) == 5
