"""CTC tasks: answers, loss, decoding and error rates, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.tasks.parts.ctc import symbol_error_rate, text_error_rates
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


def test_phone_error_rate_by_hand() -> None:
    references = [["AY", "P", "UH", "T"], ["M", "AY"]]
    answers = [["AY", "UH", "D"], ["M", "AY", "Z"]]
    # One deletion, one substitution, one insertion in six phones.
    assert symbol_error_rate(answers, references) == pytest.approx(3 / 6)
    assert PR.score(answers, references) == {"per": pytest.approx(0.5)}


def test_nothing_recognised_is_all_wrong() -> None:
    assert PR.score([[], []], [["A"], ["B", "A"]]) == {"per": 1.0}
    assert ASR.score([[]], [list("AB C")]) == {"wer": 1.0, "cer": 1.0}


def test_word_and_character_error_rates_by_hand() -> None:
    references, answers = [list("THE CAT SAT")], [list("THE BAT")]
    rates = text_error_rates(answers, references)
    # Words: one substitution, one deletion of three. Characters: C becomes B, " SAT" goes, of eleven.
    assert rates == {"wer": pytest.approx(2 / 3), "cer": pytest.approx(5 / 11)}


def test_labels_come_from_the_training_clips_alone() -> None:
    train = [make_clip(phones=["B", "A"]), make_clip(phones=["A"])]
    assert PR.labels(train).names == ("<blank>", "A", "B")


def test_a_text_gives_its_characters() -> None:
    assert ASR.answer(make_clip(text="A B")) == ["A", " ", "B"]


@pytest.mark.parametrize("value", ["", "  ", [], None, 3, [1], ["A", ""], ["A B"], [" "], [["A"]]])
def test_answer_that_no_error_rate_can_count(value: object) -> None:
    with pytest.raises(DataError) as caught:
        PR.answer(make_clip("x", phones=value))
    expected = f"manifest.jsonl:x: phones must be a text or a list of symbols without spaces, got {value!r}"
    assert str(caught.value) == expected
