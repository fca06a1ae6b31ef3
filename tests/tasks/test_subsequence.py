"""Subsequence matching: by hand, and as dtw-python does it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.tasks.parts import subsequence
from mergekit_speech.tasks.parts.subsequence import Frames, match


def frames(rng: np.random.Generator, length: int, dim: int = 4) -> Frames:
    return rng.standard_normal((length, dim)).astype(np.float32)


def by_dtw(query: Frames, document: Frames) -> float:
    from dtw import dtw
    from scipy.spatial.distance import cdist

    distances = np.exp(cdist(query, document, "cosine")) - 1
    low, high = distances.min(axis=1, keepdims=True), distances.max(axis=1, keepdims=True)
    normed = (distances - low) / np.clip(high - low, 1e-9, None)
    return -float(dtw(normed, step_pattern="asymmetric", open_begin=True, open_end=True).normalizedDistance)


def test_match_by_hand() -> None:
    right, up, left = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
    query = np.array([right, up], dtype=np.float32)
    apart, in_reverse = np.array([right, left, up], dtype=np.float32), np.array([up, right, left], dtype=np.float32)
    # "right" then "up", with one frame passed over.
    assert match(query, [apart])[0] == 0
    # Forwards only: one of the two is met; "up" is then 0, as is "right" at its place, but not in this order.
    half = (np.e - 1) / (np.e**2 - 1)
    assert match(query, [in_reverse])[0] == pytest.approx(-half / 2, abs=1e-6)


def test_the_query_itself_within_noise_matches_at_zero_distance() -> None:
    rng = np.random.default_rng(0)
    query = frames(rng, 6)
    inside = np.concatenate([frames(rng, 9), query, frames(rng, 5)])
    scores = match(query, [frames(rng, 20), inside])
    assert scores[1] == pytest.approx(0, abs=1e-5)
    assert scores[0] < -0.05


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 7), lengths=st.lists(st.integers(4, 15), min_size=1, max_size=4)
)
def test_agrees_with_dtw_python(seed: int, rows: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    query, documents = frames(rng, rows), [frames(rng, length) for length in lengths]
    expected = [by_dtw(query, document) for document in documents]
    assert match(query, documents) == pytest.approx(expected, abs=1e-5)


def test_blocks_do_not_change_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    query, documents = frames(rng, 5), [frames(rng, length) for length in (7, 30, 8, 8, 19)]
    together = match(query, documents)
    monkeypatch.setattr(subsequence, "CELLS", 60)
    assert np.array_equal(match(query, documents), together)


def test_a_document_shorter_than_the_query() -> None:
    rng = np.random.default_rng(2)
    assert np.isfinite(match(frames(rng, 9), [frames(rng, 1), frames(rng, 2)])).all()


def test_silent_frames_are_finite() -> None:
    assert np.isfinite(match(np.zeros((3, 4), np.float32), [np.zeros((5, 4), np.float32)])).all()
