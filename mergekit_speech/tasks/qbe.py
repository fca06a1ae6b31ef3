"""QbE: query by example. Manifest field `label`: what a clip of split `query` says; what one of split `doc` holds.

A clip that is searched may hold several terms (a list) or none (an empty one). There is no head: hidden states are
compared as they are, and the one that does best on validation queries is tested. Those are the clips of split
`query_valid`; where there are none, all queries of every third term validate and are not tested. The same clips are
searched by both.

MTWV has the prior and costs of QUESST 2014: the rate of false alarms weighs 12.49 times that of misses; queries that no
clip holds do not count. SUPERB's published figures are not comparable: they come from the scorer of QUESST, which
counts queries and clips of all its languages, and takes all but the English ones for not found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.retrieval import average_precisions, maximum_term_weighted_values
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.subsequence import search
from mergekit_speech.tasks.parts.task import Budget, HeadBuilder, Metric, Task

QUERY, VALID_QUERY, DOCUMENT = "query", "query_valid", "doc"
VALID_TERMS = 3
"""Where no queries are for validation, those of every term of this many are."""
SHORTEST = 5
"""Frames; a shorter query matches all clips alike."""
TINY = 1e-9
NO_BUDGET = Budget(steps=0, learning_rate=0.0, clips=0, accumulate=0, evaluate_every=0)
MTWV = Metric("mtwv", "MTWV", lower_is_better=False)
MAP = Metric("map", "MAP", lower_is_better=False)


def _no_head(_dim: int, _outputs: int) -> nn.Module:
    raise SettingsError("task 'qbe' compares hidden states as they are: it trains no head")


@dataclass(frozen=True, kw_only=True)
class SearchTask(Task):
    """Finds the clips in which a spoken query is said.

    The answer to a clip is a hidden state of it, float32, shape `(frames, dim)`. Rows, one a query that is said in at
    least one clip: `scores` and `hits`, a column for each clip searched, and `precision`, its average precision.

    Source: s3prl's `downstream/quesst14_dtw`: each dimension is brought to mean 0 and deviation 1 over all frames,
        each query's scores over all clips.
    """

    trains: ClassVar[bool] = False

    probe_head: HeadBuilder = _no_head
    tuning_head: HeadBuilder = _no_head
    probing: Budget = NO_BUDGET
    tuning: Budget = NO_BUDGET
    apart: bool = False
    gain: float = -3.0

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`: none, as there is no head."""
        return Labels(())

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: nothing is learnt."""
        return [torch.zeros(0) for _ in clips]

    def loss(self, output: Any, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`: none."""
        return torch.zeros(())

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[npt.NDArray[np.float32]]:
        """See `Task.decode`; `output` is a hidden state, shape `(batch, frames, dim)`."""
        rows = output.float().cpu().numpy()
        return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        documents = [clip for clip in clips if clip.split == DOCUMENT]
        queries = self._spoken([clip for clip in clips if clip.split != DOCUMENT], documents)
        frames = [answers[clip.id] for clip in queries]
        found = search(frames, [answers[clip.id] for clip in documents])
        found[[len(query) < SHORTEST for query in frames]] = 0
        scores = (found - found.mean(axis=1, keepdims=True)) / np.maximum(found.std(axis=1, keepdims=True), TINY)
        held = [self.terms(clip) for clip in documents]
        hits = np.array([[self.text_of(query) in terms for terms in held] for query in queries])
        return {"scores": scores, "hits": hits, "precision": average_precisions(scores, hits)}

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`."""
        return counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return {
            MTWV.name: maximum_term_weighted_values(rows["scores"], rows["hits"], counts),
            MAP.name: counts @ rows["precision"] / counts.sum(axis=1),
        }

    def folds(self, data: Path) -> Sequence[Splits]:
        """See `Task.folds`: queries to choose by or to test, each with all clips that are searched.

        Raises:
            DataError: Also where there is nothing to search, no query to test or to choose by, or none that is said in
                a searched clip.
        """
        clips = self.clips(data)
        documents = [clip for clip in clips if clip.split == DOCUMENT]
        test = [clip for clip in clips if clip.split == QUERY]
        valid = [clip for clip in clips if clip.split == VALID_QUERY]
        if not valid:
            chosen = set(sorted({self.text_of(clip) for clip in test})[1::VALID_TERMS])
            valid = [clip for clip in test if self.text_of(clip) in chosen]
            test = [clip for clip in test if self.text_of(clip) not in chosen]
        self._check(data, documents, test, valid)
        return [Splits((), [*valid, *documents], [*test, *documents])]

    def _check(self, data: Path, documents: Sequence[Clip], test: Sequence[Clip], valid: Sequence[Clip]) -> None:
        manifest = self.manifest(data)
        for split, part in ((DOCUMENT, documents), (QUERY, test), (VALID_QUERY, valid)):
            if not part:
                raise DataError(
                    f"{manifest}: no clip for split {split!r}; task {self.name} needs {DOCUMENT!r} (to be searched),"
                    f" {QUERY!r}, and {VALID_QUERY!r} or queries of two terms"
                )
        for purpose, part in (("test", test), ("choose by", valid)):
            if not self._spoken(part, documents):
                raise DataError(
                    f"{manifest}: none of the {len(part)} queries to {purpose} is said in a clip of split"
                    f" {DOCUMENT!r}: the {self.field}s of both must be the same words"
                )

    def terms(self, clip: Clip) -> frozenset[str]:
        """What a clip that is searched holds.

        Raises:
            DataError: The manifest's field holds neither a text nor a list of texts.
        """
        value = self.field_of(clip)
        held = value if isinstance(value, list) else [value]
        if not all(isinstance(term, str) and term for term in held):
            raise DataError(
                f"{clip.source}: {self.field} of a clip to search must be a string or a list of strings,"
                f" got {value!r:.60}"
            )
        return frozenset(held)

    def _spoken(self, queries: Sequence[Clip], documents: Sequence[Clip]) -> list[Clip]:
        """The queries that are said in a document, as QUESST counts them."""
        said = frozenset[str]().union(*(self.terms(clip) for clip in documents))
        return [clip for clip in queries if self.text_of(clip) in said]


TASK = SearchTask(
    name="qbe",
    title="query by example",
    field="label",
    metrics=(MTWV, MAP),
    needs="splits doc and query, perhaps query_valid",
)
