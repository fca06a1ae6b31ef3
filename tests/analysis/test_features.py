"""Encoders that hear the same clips, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.analysis.features import Listener, Mixture, align, compare_features
from mergekit_speech.analysis.products import Array
from mergekit_speech.analysis.utterances import Utterances
from mergekit_speech.errors import PairingError
from mergekit_speech.speech.clip import Clip

DIM, FRAMES = 4, 25


def _clips(count: int) -> tuple[Clip, ...]:
    return tuple(Clip(str(n), Path(f"{n}.wav"), 0.5, "train", {}, "m:1") for n in range(count))


def _listener(label: str, share: float, *, depth: int = 2, dim: int = DIM, stride: int = 320) -> Listener:
    """An encoder whose features are a mixture of two sets of its own."""

    def hear(clips: Sequence[Clip]) -> list[Array]:
        drawn = [np.random.default_rng(int(clip.id)).normal(size=(2, depth, FRAMES, dim)) for clip in clips]
        return [(1 - share) * one + share * other for one, other in drawn]

    return Listener(label, depth, dim, stride, hear)


def _utterances(count: int = 20) -> Utterances:
    clips = _clips(count)
    return Utterances(clips[: count // 2], clips[count // 2 :])


def test_less_deviation_is_more_similarity() -> None:
    near, far = _listener("near", 0.1), _listener("far", 0.5)
    counted: list[int] = []
    found = compare_features(_listener("base", 0), [near, far], _utterances(), heard=counted.append)
    assert (found.clips, found.frames, found.fitted) == (20, 20 * FRAMES, 10 * FRAMES)
    assert sum(counted) == 20
    for one, other in zip(found.similarity["near"], found.similarity["far"], strict=True):
        assert one.r2 is not None
        assert other.r2 is not None
        assert one.r2 > other.r2
        assert one.cka is not None
        assert other.cka is not None
        assert one.cka > other.cka
        assert one.cosine is not None
        assert other.cosine is not None
        assert one.cosine > other.cosine


def test_mixed_features_are_recognised() -> None:
    others = [_listener("tuned", 1), _listener("merged", 0.25)]
    found = compare_features(_listener("base", 0), others, _utterances(), [Mixture("merged", "tuned", 0.25)])
    assert [layer.r2 for layer in found.connectivity["merged"]] == pytest.approx([1.0, 1.0])
    assert [layer.relative_error for layer in found.connectivity["merged"]] == pytest.approx([0.0, 0.0])


def test_another_depth_is_compared_as_far_as_both_reach() -> None:
    found = compare_features(_listener("base", 0), [_listener("deep", 0, depth=5)], _utterances())
    assert [layer.layer for layer in found.similarity["deep"]] == [0, 1]


def test_frames_pair_by_time() -> None:
    coarse, fine = np.arange(3.0).reshape(1, 3, 1), np.arange(6.0).reshape(1, 6, 1)
    for one, other, strides, wanted in (
        (coarse, fine, (320, 160), ([0, 1, 2], [1, 3, 5])),
        (fine, coarse, (160, 320), ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2])),
        (fine, coarse, (320, 320), ([0, 1, 2], [0, 1, 2])),
    ):
        left, right = align(one, other, *strides)
        assert (left.ravel().tolist(), right.ravel().tolist()) == wanted


def test_encoders_of_two_shapes_cannot_be_mixed() -> None:
    others = [_listener("tuned", 1, dim=6), _listener("merged", 0.25)]
    with pytest.raises(PairingError, match="expected tuned with the 2 states of 4 dimensions of base, came 2 of 6"):
        compare_features(_listener("base", 0), others, _utterances(), [Mixture("merged", "tuned", 0.25)])
