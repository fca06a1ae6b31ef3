"""Subsequence matching: by hand, and as dtw-python does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.tasks.parts import subsequence
from mergekit_speech.tasks.parts.subsequence import Frames, search


def frames(rng: np.random.Generator, length: int, dim: int = 4) -> Frames:
    return (rng.standard_normal((length, dim)) * [1, 2, 3, 4] + [0, 1, 0, 9]).astype(np.float32)


def by_dtw(query: Frames, document: Frames, all_frames: Sequence[Frames]) -> float:
    from dtw import dtw
    from scipy.spatial.distance import cdist

    together = np.concatenate(all_frames).astype(np.float64)
    mean, deviation = together.mean(axis=0), np.clip(together.std(axis=0, ddof=1), 1e-9, None)
    distances = np.exp(cdist((query - mean) / deviation, (document - mean) / deviation, "cosine")) - 1
    low, high = distances.min(axis=1, keepdims=True), distances.max(axis=1, keepdims=True)
    normed = (distances - low) / np.clip(high - low, 1e-9, None)
    return -float(dtw(normed, step_pattern="asymmetric", open_begin=True, open_end=True).normalizedDistance)


def test_match_by_hand() -> None:
    right, up, left, down = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]

    def clip(*directions: list[float]) -> Frames:
        return np.array(directions, dtype=np.float32)

    # As much to each side: the mean is 0 and both deviations are the same, so that directions stay as they are.
    query, apart = clip(right, up), clip(right, left, up)
    reverse, balance = clip(up, right, left), clip(down, down, down, left)
    scores = search([query], [apart, reverse, balance])[0]
    # "right" then "up", with one frame passed over.
    assert scores[0] == pytest.approx(0, abs=1e-6)
    # Forwards only: cheapest is to stay on "up", to which "right" has the distance e - 1 of 0 to e^2 - 1.
    assert scores[1] == pytest.approx(-(np.e - 1) / (np.e**2 - 1) / 2, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    rows=st.lists(st.integers(1, 7), min_size=1, max_size=2),
    lengths=st.lists(st.integers(4, 15), min_size=1, max_size=4),
)
def test_agrees_with_dtw_python(seed: int, rows: list[int], lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    queries, documents = [frames(rng, length) for length in rows], [frames(rng, length) for length in lengths]
    expected = [[by_dtw(query, document, [*queries, *documents]) for document in documents] for query in queries]
    assert search(queries, documents) == pytest.approx(np.array(expected), abs=1e-5)


def test_the_query_itself_within_noise_matches_best() -> None:
    rng = np.random.default_rng(0)
    query = frames(rng, 6)
    inside = np.concatenate([frames(rng, 9), query, frames(rng, 5)])
    noise, hit = search([query], [frames(rng, 20), inside])[0]
    assert hit == pytest.approx(0, abs=1e-5)
    assert noise < -0.02


def test_blocks_do_not_change_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    queries, documents = [frames(rng, 5), frames(rng, 3)], [frames(rng, length) for length in (7, 30, 8, 8, 19)]
    together = search(queries, documents)
    monkeypatch.setattr(subsequence, "CELLS", 60)
    assert search(queries, documents) == pytest.approx(together, abs=1e-6)


def test_a_document_shorter_than_the_query() -> None:
    rng = np.random.default_rng(2)
    assert np.isfinite(search([frames(rng, 9)], [frames(rng, 1), frames(rng, 2)])).all()


def test_silent_frames_are_finite() -> None:
    assert np.isfinite(search([np.zeros((3, 4), np.float32)], [np.zeros((5, 4), np.float32)])).all()
