"""Warps and masks hidden states in training, so that a head cannot lean on a few frames or dimensions.

Source: Park et al., "SpecAugment" (Interspeech 2019), in the sizes of SUPERB's ASR and SF (`s3prl.nn.specaug`).
"""

from __future__ import annotations

import torch
from torch.nn import functional

WARP = 5
"""Frames by which a random frame moves, at most; the others follow."""
DIMENSION_MASKS, DIMENSIONS = 4, 50
TIME_MASKS, FRAMES = 2, 40


def specaugment(frames: torch.Tensor) -> torch.Tensor:
    """Stretches one part of a clip, squeezes the other, and sets random stretches of dimensions and frames to 0.

    Drawn from torch's global generator.

    Args:
        frames: Hidden states of one clip, shape `(frames, dim)`.

    Returns:
        The same shape, of new memory.
    """
    length, dim = frames.shape
    kept = _kept(length, TIME_MASKS, FRAMES)[:, None] & _kept(dim, DIMENSION_MASKS, DIMENSIONS)[None, :]
    return _warp(frames) * kept.to(frames.device)


def _warp(frames: torch.Tensor) -> torch.Tensor:
    length, dim = frames.shape
    if length <= 2 * WARP:
        return frames
    center = int(torch.randint(WARP, length - WARP, ()))
    moved = int(torch.randint(center - WARP + 1, center + WARP + 1, ()))
    parts = ((frames[:center], moved), (frames[center:], length - moved))
    return torch.cat(
        [functional.interpolate(part[None, None], (size, dim), mode="bicubic")[0, 0] for part, size in parts]
    )


def _kept(size: int, masks: int, widest: int) -> torch.Tensor:
    widths = torch.randint(0, widest + 1, (masks, 1))
    starts = torch.randint(0, max(1, size - int(widths.max())), (masks, 1))
    places = torch.arange(size)
    return ~((starts <= places) & (places < starts + widths)).any(dim=0)
