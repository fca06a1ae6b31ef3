"""Masks and warps: their sizes, what they leave, and that they are drawn from torch's generator."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.tasks.parts.masking import (
    DIMENSION_MASKS,
    DIMENSIONS,
    FRAMES,
    TIME_MASKS,
    WARP,
    specaugment,
)


def masked(length: int, dim: int, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return specaugment(torch.ones(length, dim))


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 200), dim=st.integers(1, 300), seed=st.integers(0, 1000))
def test_whole_frames_and_dimensions_are_masked_and_no_more_than_the_masks_hold(
    length: int, dim: int, seed: int
) -> None:
    kept = masked(length, dim, seed) != 0
    frames, dimensions = kept.any(dim=1), kept.any(dim=0)
    assert torch.equal(kept, frames[:, None] & dimensions[None, :])
    if kept.any():
        assert length - int(frames.sum()) <= TIME_MASKS * FRAMES
        assert dim - int(dimensions.sum()) <= DIMENSION_MASKS * DIMENSIONS


def test_drawn_again_from_the_same_seed_and_otherwise_from_another() -> None:
    assert torch.equal(masked(100, 64, seed=1), masked(100, 64, seed=1))
    assert not torch.equal(masked(100, 64, seed=1), masked(100, 64, seed=2))


def test_a_warp_moves_frames_by_a_few_and_keeps_the_ends() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(100.0)[:, None].repeat(1, 400) + 1
    for _ in range(10):
        found = specaugment(ramp)
        kept = found != 0
        moved = (found - ramp)[kept].abs()
        assert float(moved.max()) <= WARP + 1


def test_short_clips_are_not_warped() -> None:
    torch.manual_seed(0)
    frames = torch.randn(2 * WARP, 400)
    found = specaugment(frames)
    assert torch.equal(found[found != 0], frames[found != 0])


def test_gradients_pass() -> None:
    torch.manual_seed(0)
    frames = torch.randn(60, 200, requires_grad=True)
    specaugment(frames).sum().backward()  # type: ignore[no-untyped-call]
    assert frames.grad is not None
    assert bool(frames.grad.any())
