"""How well short sequences of frames match any stretch of longer ones: subsequence dynamic time warping.

dtw-python gives the same numbers pair by pair (`step_pattern="asymmetric"`, `open_begin`, `open_end`); here many
documents are warped at once, which is many times faster.

Source: s3prl's `downstream/quesst14_dtw` (feature_normalization, cosine_exp, minmax_norm, subsequence).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
CELLS = 1 << 21
"""Distances held at once (8 MB)."""
TINY = 1e-9


def search(queries: Sequence[Frames], documents: Sequence[Frames]) -> npt.NDArray[np.float32]:
    """Mean distance along the best path of each query through each document, negated.

    Every frame of a query is used once, in order; a document is entered and left anywhere, and each step goes zero to
    two of its frames on. Distances are exp(1 - cosine) - 1, after each dimension was brought to mean 0 and deviation 1
    over all frames, and those from each frame of a query to a document are stretched to run from 0 to 1.

    Args:
        queries: Each of shape `(frames, dim)`.
        documents: Likewise.

    Returns:
        float32 in [-1, 0], higher is more alike, shape `(queries, documents)`.
    """
    mean, deviation = _moments([*queries, *documents])
    units = [_unit((query - mean) / deviation) for query in queries]
    scores = np.empty((len(queries), len(documents)), dtype=np.float32)
    longest = max(len(query) for query in queries)
    for chosen in _blocks(longest, [len(document) for document in documents]):
        lengths = np.array([len(documents[number]) for number in chosen])
        frames = _unit((np.concatenate([documents[number] for number in chosen]) - mean) / deviation)
        for row, unit in zip(scores, units, strict=True):
            row[chosen] = -_best_path(_distances(unit, frames, lengths)) / len(unit)
    return scores


def _moments(sequences: Sequence[Frames]) -> tuple[Frames, Frames]:
    count = sum(len(frames) for frames in sequences)
    mean = sum(frames.sum(axis=0, dtype=np.float64) for frames in sequences) / count
    squares = sum(np.square(frames - mean).sum(axis=0) for frames in sequences)
    deviation = np.sqrt(squares / max(count - 1, 1))
    return mean.astype(np.float32), np.maximum(deviation, TINY).astype(np.float32)


def _blocks(rows: int, lengths: Sequence[int]) -> Iterator[list[int]]:
    """Cuts documents into blocks of like lengths, none with more distances than may be held at once."""
    block: list[int] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        if block and rows * lengths[number] * (len(block) + 1) > CELLS:
            yield block
            block = []
        block.append(number)
    if block:
        yield block


def _distances(query: Frames, frames: Frames, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Stretched distances to documents that lie one behind the other, infinite behind a document's end.

    Args:
        query: Unit vectors, shape `(query frames, dim)`.
        frames: Unit vectors of all documents, shape `(all frames, dim)`.
        lengths: Frames of each document.

    Returns:
        Shape `(query frames, documents, frames of the longest)`.
    """
    inside = np.arange(lengths.max())[None, :] < lengths[:, None]
    distances = np.full((len(query), *inside.shape), np.inf, dtype=np.float32)
    distances[:, inside] = np.expm1(1 - query @ frames.T)
    lowest = distances.min(axis=2, keepdims=True)
    highest = np.where(inside, distances, -np.inf).max(axis=2, keepdims=True)
    distances -= lowest
    distances /= np.maximum(highest - lowest, TINY)
    return distances


def _best_path(distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Least sum of one distance for each query frame: `(query frames, documents, frames)` to `(documents,)`."""
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
