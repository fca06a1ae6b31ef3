"""Tasks whose answer is a sequence of symbols, learnt by CTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once, ratios
from mergekit_speech.tasks.parts.task import Task

Count = Callable[[Sequence[str], Sequence[str]], Mapping[str, float]]
"""Columns of one clip from its answer and its truth."""


@dataclass(frozen=True, kw_only=True)
class CtcTask(Task):
    """A transcription task: frame-wise head, CTC loss, greedy decoding.

    The answer to a clip is its symbols. Rows: the columns that `count` gives.

    Attributes:
        count: Counts errors.
        rates: Columns of numerator and denominator of each metric.
    """

    count: Count
    rates: Mapping[str, tuple[str, str]]

    def symbols(self, clip: Clip) -> Sequence[str]:
        """What is said in the clip: a text gives its characters, a list its members.

        Raises:
            DataError: The manifest's field holds neither.
        """
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
        return Labels.of((symbol for clip in train for symbol in self.symbols(clip)), blank=True)

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: indices of labels, int64, shape `(symbols,)`."""
        return [torch.tensor(labels.indices(self.symbols(clip), clip)) for clip in clips]

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

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        counted = [self.count(answers[clip.id], self.symbols(clip)) for clip in clips]
        return {column: np.array([counts[column] for counts in counted]) for column in counted[0]}

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`: errors of all clips over the length of all clips."""
        return counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return ratios(rows, counts, self.rates)


def _is_word(symbol: object) -> bool:
    return isinstance(symbol, str) and symbol.split() == [symbol]


def symbol_errors(answer: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Edits between symbols that hold no space, and the number of true ones."""
    edits, length = _word_edits(" ".join(answer), " ".join(truth))
    return {"errors": edits, "symbols": length}


def text_errors(answer: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Edits between the words and between the characters of texts given as characters, and the numbers of true ones."""
    import jiwer

    said, text = "".join(answer), "".join(truth)
    edits, words = _word_edits(said, text)
    found = jiwer.process_characters(text, said)
    characters = found.hits + found.substitutions + found.deletions
    return {
        "word_errors": edits,
        "words": words,
        "character_errors": found.substitutions + found.deletions + found.insertions,
        "characters": characters,
    }


def _word_edits(said: str, text: str) -> tuple[int, int]:
    import jiwer

    found = jiwer.process_words(text, said)
    return found.substitutions + found.deletions + found.insertions, found.hits + found.substitutions + found.deletions
