"""How well a short sequence of frames matches any stretch of a longer one: subsequence dynamic time warping.

dtw-python gives the same numbers, pair by pair (`step_pattern="asymmetric"`, `open_begin`, `open_end`); here one
pass serves all clips that are searched, which takes a tenth of the time.

Source: s3prl's `downstream/quesst14_dtw` (cosine_exp, minmax_norm, subsequence).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
CELLS = 1 << 21
"""Distances held at once (8 MB)."""
TINY = 1e-9


def match(query: Frames, documents: Sequence[Frames]) -> npt.NDArray[np.float32]:
    """Mean distance along the best path of a query through each document, negated.

    Every frame of the query is used once, in order; the document is entered and left anywhere and passed at zero to
    two frames a step. Distances are exp(1 - cosine) - 1, and each frame of the query's to a document run from 0 to 1.

    Args:
        query: Shape `(frames, dim)`.
        documents: Each of shape `(frames, dim)`.

    Returns:
        float32 in [-1, 0], higher is more alike, shape `(documents,)`.
    """
    unit, scores = _unit(query), np.empty(len(documents), dtype=np.float32)
    for chosen in _blocks(len(query), [len(document) for document in documents]):
        distances = _distances(unit, [documents[number] for number in chosen])
        scores[chosen] = -_best_path(distances) / len(query)
    return scores


def _blocks(rows: int, lengths: Sequence[int]) -> Iterator[list[int]]:
    """Cuts documents into blocks of like lengths, none with more cells than fit the cache."""
    block: list[int] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        if block and rows * lengths[number] * (len(block) + 1) > CELLS:
            yield block
            block = []
        block.append(number)
    if block:
        yield block


def _distances(query: Frames, documents: Sequence[Frames]) -> npt.NDArray[np.float32]:
    """Normed distances, shape `(query frames, documents, frames)`; infinite behind a document's end."""
    lengths = np.array([len(document) for document in documents])
    flat = np.expm1(1 - query @ _unit(np.concatenate(documents)).T)
    past = np.arange(lengths.max())[None, :] >= lengths[:, None]
    distances = np.full((len(query), *past.shape), np.inf, dtype=np.float32)
    distances[:, ~past] = flat
    lowest = distances.min(axis=2, keepdims=True)
    highest = np.where(past, -np.inf, distances).max(axis=2, keepdims=True)
    normed: npt.NDArray[np.float32] = (distances - lowest) / np.maximum(highest - lowest, TINY)
    return normed


def _best_path(distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Least sum of distances, one for each query frame: `(query frames, documents, frames)` to `(documents,)`."""
    costs = distances[0]
    for row in distances[1:]:
        best = costs.copy()
        np.minimum(best[:, 1:], costs[:, :-1], out=best[:, 1:])
        np.minimum(best[:, 2:], costs[:, :-2], out=best[:, 2:])
        costs = best + row
    least: npt.NDArray[np.float32] = costs.min(axis=1)
    return least


def _unit(frames: Frames) -> Frames:
    unit: Frames = frames / np.maximum(np.linalg.norm(frames, axis=1, keepdims=True), TINY)
    return unit
