"""CTC tasks: answers, loss, decoding and error rates, by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.ctc import CtcTask, symbol_errors, text_errors
from mergekit_speech.tasks.parts.labels import Labels
from tests.speech.corpus import make_clip
from tests.tasks.definitions import ctc_task

PR, ASR = ctc_task("pr"), ctc_task("asr")
LABELS = Labels(("<blank>", "A", "B"))


def said(*rows: str) -> torch.Tensor:
    """Outputs whose best label at each frame is the one written, `_` being the blank."""
    best = torch.tensor([["_AB".index(symbol) for symbol in row] for row in rows])
    return torch.nn.functional.one_hot(best, 3).float()


@pytest.mark.parametrize(
    ("frames", "answer"),
    [("AAB_", "AB"), ("A_AB", "AAB"), ("____", ""), ("BBBB", "B"), ("_B_B", "BB"), ("ABAB", "ABAB")],
)
def test_decoding_merges_repeats_and_then_drops_blanks(frames: str, answer: str) -> None:
    assert PR.decode(said(frames), torch.tensor([4]), LABELS) == [list(answer)]


def test_decoding_stops_where_the_audio_does() -> None:
    assert PR.decode(said("A_BB", "AB_A"), torch.tensor([2, 4]), LABELS) == [["A"], ["A", "B", "A"]]


def test_loss_of_one_frame_is_its_cross_entropy() -> None:
    output = torch.tensor([[[0.0, 2.0, 1.0]]])
    loss = PR.loss(output, torch.tensor([1]), [torch.tensor([1])])
    assert float(loss) == pytest.approx(math.log(1 + math.exp(2) + math.e) - 2)


def test_loss_sums_all_alignments() -> None:
    # Two frames for one symbol: "AA", "A_" and "_A" out of nine equally likely paths.
    loss = PR.loss(torch.zeros(1, 2, 3), torch.tensor([2]), [torch.tensor([1])])
    assert float(loss) == pytest.approx(-math.log(3 / 9))


def test_loss_ignores_padding() -> None:
    output = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    lengths, targets = torch.tensor([6, 3]), [torch.tensor([1, 2]), torch.tensor([2])]
    other = output.clone()
    other[1, 3:] = 50.0
    assert torch.equal(PR.loss(output, lengths, targets), PR.loss(other, lengths, targets))


def test_answer_longer_than_the_audio_gives_no_infinite_loss() -> None:
    assert float(PR.loss(torch.zeros(1, 2, 3), torch.tensor([2]), [torch.tensor([1, 2, 1])])) == 0.0


def rates(task: CtcTask, answers: Sequence[Sequence[str]], truths: Sequence[object]) -> Mapping[str, float]:
    clips = [make_clip(str(n), phones=truth, text=truth) for n, truth in enumerate(truths)]
    return task.figures(task.measure({str(n): answer for n, answer in enumerate(answers)}, clips))


def test_phone_error_rate_by_hand() -> None:
    truths = [["AY", "P", "UH", "T"], ["M", "AY"]]
    answers = [["AY", "UH", "D"], ["M", "AY", "Z"]]
    # One deletion, one substitution, one insertion in six phones.
    assert rates(PR, answers, truths) == {"per": pytest.approx(3 / 6)}
    assert symbol_errors(answers[0], truths[0]) == {"errors": 2, "symbols": 4}


def test_nothing_recognised_is_all_wrong() -> None:
    assert rates(PR, [[], []], [["A"], ["B", "A"]]) == {"per": 1.0}
    assert rates(ASR, [[]], ["AB C"]) == {"wer": 1.0, "cer": 1.0}


def test_word_and_character_errors_by_hand() -> None:
    # Words: one substitution, one deletion of three. Characters: C becomes B, " SAT" goes, of eleven.
    assert text_errors(list("THE BAT"), list("THE CAT SAT")) == {
        "word_errors": 2,
        "words": 3,
        "character_errors": 5,
        "characters": 11,
    }


def test_labels_come_from_the_training_clips_alone() -> None:
    train = [make_clip(phones=["B", "A"]), make_clip(phones=["A"])]
    assert PR.labels(train).names == ("<blank>", "A", "B")


def test_a_text_gives_its_characters() -> None:
    assert ASR.symbols(make_clip(text="A B")) == ["A", " ", "B"]


@pytest.mark.parametrize("value", ["", "  ", [], None, 3, [1], ["A", ""], ["A B"], [" "], [["A"]]])
def test_answer_that_no_error_rate_can_count(value: object) -> None:
    with pytest.raises(DataError) as caught:
        PR.symbols(make_clip("x", phones=value))
    expected = f"manifest.jsonl:x: phones must be a text or a list of symbols without spaces, got {value!r}"
    assert str(caught.value) == expected
