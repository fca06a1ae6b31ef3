"""Greedy soups: tuned encoders are averaged one by one, the best first, as long as validation does not suffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mergekit_speech.sweeping.picking import Scores
from mergekit_speech.sweeping.point import SweepPoint

Try = Callable[[SweepPoint], Scores]
"""Probes a point, and gives the scores of all points so far."""


def stir(tuned: Sequence[SweepPoint], scores: Scores, probe: Try) -> SweepPoint | None:
    """Makes a greedy soup.

    Args:
        tuned: The tuned encoders themselves.
        scores: Theirs, on validation clips.
        probe: Probes an average of some of them.

    Returns:
        The soup, which may be one encoder alone; None if no encoder has a score.

    Source: Model soups (arXiv:2203.05482), recipe 1.
    """
    # The sort is stable: of equal encoders the first named goes first.
    order = sorted((each for each in tuned if each.label in scores), key=lambda each: -scores[each.label])
    if not order:
        return None
    soup, best = order[0], scores[order[0].label]
    for other in order[1:]:
        larger = _average([soup, other], tuned)
        score = probe(larger).get(larger.label)
        if score is not None and score >= best:
            soup, best = larger, score
    return soup


def _average(parts: Sequence[SweepPoint], tuned: Sequence[SweepPoint]) -> SweepPoint:
    chosen = tuple(sorted(number for part in parts for number in part.tuned or ()))
    label = f"soup of {' + '.join(tuned[number].label for number in chosen)}"
    return SweepPoint(label, "linear", {"scale": 1.0}, tuned=chosen)
