"""Greedy soups."""

from __future__ import annotations

from collections.abc import Mapping

from mergekit_speech.sweeping.point import SweepPoint
from mergekit_speech.sweeping.soup import stir

TUNED = [SweepPoint(label, tuned=(number,), end="tuned") for number, label in enumerate("abc")]


def stir_with(ends: Mapping[str, float], soups: Mapping[str, float]) -> tuple[SweepPoint | None, list[str]]:
    tried: list[str] = []

    def probe(point: SweepPoint) -> Mapping[str, float]:
        tried.append(point.label)
        return {**ends, **{label: score for label, score in soups.items() if label in tried}}

    return stir(TUNED, ends, probe), tried


def test_the_best_come_first_and_what_lowers_the_score_stays_out() -> None:
    soup, tried = stir_with({"a": 1, "b": 3, "c": 2}, {"soup of b + c": 2.9, "soup of a + b": 3.0})
    assert tried == ["soup of b + c", "soup of a + b"]
    assert soup == SweepPoint("soup of a + b", "linear", {"scale": 1.0}, tuned=(0, 1))


def test_what_stays_in_is_averaged_further() -> None:
    soup, tried = stir_with({"a": 1, "b": 3, "c": 2}, {"soup of b + c": 4, "soup of a + b + c": 5})
    assert tried == ["soup of b + c", "soup of a + b + c"]
    assert soup is not None
    assert soup.tuned == (0, 1, 2)


def test_a_soup_may_be_one_encoder() -> None:
    assert stir_with({"a": 1, "b": 3}, {})[0] == TUNED[1]


def test_without_scores_there_is_no_soup() -> None:
    assert stir_with({}, {}) == (None, [])
