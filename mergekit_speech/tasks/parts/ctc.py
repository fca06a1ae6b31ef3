"""Tasks whose answer is a sequence of symbols, learnt by CTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task

Score = Callable[[Sequence[Sequence[str]], Sequence[Sequence[str]]], Mapping[str, float]]


@dataclass(frozen=True)
class CtcTask(Task):
    """A transcription task: frame-wise head, CTC loss, greedy decoding.

    Attributes:
        errors: Computes the metrics from answers and references.
    """

    errors: Score

    def answer(self, clip: Clip) -> Sequence[str]:
        """See `Task.answer`: a string gives its characters, a list its members."""
        value = self.field_of(clip)
        if isinstance(value, str) and value.strip():
            return list(value)
        if isinstance(value, list) and value and all(_is_word(symbol) for symbol in value):
            return value
        raise DataError(
            f"{clip.source}: {self.field} must be a text or a list of symbols without spaces, got {value!r:.60}"
        )

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`."""
        return Labels.of((symbol for clip in train for symbol in self.answer(clip)), blank=True)

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`; `output` has shape `(batch, frames, labels)`."""
        return functional.ctc_loss(
            output.float().log_softmax(dim=-1).transpose(0, 1),
            torch.cat(list(targets)).to(output.device),
            lengths,
            torch.tensor([len(target) for target in targets], device=output.device),
            blank=0,
            zero_infinity=True,
        )

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[list[str]]:
        """See `Task.decode`: the best label of each frame, repeats merged, blanks dropped."""
        best = output.argmax(dim=-1).cpu()
        answers = []
        for row, length in zip(best, lengths.tolist(), strict=True):
            merged = torch.unique_consecutive(row[:length])
            answers.append([labels.names[index] for index in merged.tolist() if index])
        return answers

    def score(self, answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Mapping[str, float]:
        """See `Task.score`."""
        return self.errors(answers, references)


def _is_word(symbol: object) -> bool:
    return isinstance(symbol, str) and symbol.split() == [symbol]


def symbol_error_rate(answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> float:
    """Edit distance over reference length, of symbols that hold no space."""
    import jiwer

    return float(jiwer.wer([" ".join(line) for line in references], [" ".join(line) for line in answers]))


def text_error_rates(answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Mapping[str, float]:
    """Word and character error rates of texts given as characters."""
    import jiwer

    truth, said = ["".join(line) for line in references], ["".join(line) for line in answers]
    return {"wer": float(jiwer.wer(truth, said)), "cer": float(jiwer.cer(truth, said))}
