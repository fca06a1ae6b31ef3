"""Classification tasks: answers, loss, decisions, accuracy and recall, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.labels import Labels
from tests.speech.corpus import make_clip
from tests.tasks.definitions import classification_task

KS, ER = classification_task("ks"), classification_task("er")


def test_loss_is_the_mean_cross_entropy() -> None:
    loss = KS.loss(torch.tensor([[0.0, 0.0], [0.0, 2.0]]), torch.tensor([9, 5]), [torch.tensor([0]), torch.tensor([1])])
    assert float(loss) == pytest.approx((math.log(2) + math.log(1 + math.exp(-2))) / 2)


def test_decision_is_the_largest_output() -> None:
    labels = Labels(("no", "yes"))
    assert KS.decode(torch.tensor([[3.0, 1.0], [-2.0, -1.0]]), torch.tensor([1, 1]), labels) == ["no", "yes"]


def test_accuracy_and_unweighted_recall_by_hand() -> None:
    clips = [make_clip(str(n), label=label) for n, label in enumerate(["angry", "angry", "angry", "sad"])]
    answers = {"0": "angry", "1": "angry", "2": "happy", "3": "angry"}
    # Recall: angry 2/3, sad 0/1; happy never was the truth.
    assert ER.figures(ER.measure(answers, clips)) == {"acc": pytest.approx(2 / 4), "uar": pytest.approx(1 / 3)}
    assert KS.figures(KS.measure(answers, clips)) == {"acc": pytest.approx(0.5)}


def test_labels_are_the_training_clips_own() -> None:
    assert KS.labels([make_clip(label="yes"), make_clip(label="no"), make_clip(label="yes")]).names == ("no", "yes")


@pytest.mark.parametrize("value", ["", None, 3, ["yes"]])
def test_answer_that_is_no_label(value: object) -> None:
    with pytest.raises(DataError) as caught:
        KS.text_of(make_clip("x", label=value))
    assert str(caught.value) == f"manifest.jsonl:x: label must be a string, got {value!r}"
