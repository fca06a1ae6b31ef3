"""The weight that weight norm makes of its length g and direction v: g·v/‖v‖, and back.

Source: Salimans and Kingma, "Weight Normalization" (arXiv:1602.07868), equation 2; the norms are those of torch's
`weight_norm`: over all dimensions in which g has one element.
"""

from __future__ import annotations

from mergekit_speech.api import Array, namespace


def weight_norm_plain(length: Array, direction: Array) -> Array:
    """Give g·v/‖v‖.

    Args:
        length: g, float32, as many dimensions as v; 1 in those over which norms are taken.
        direction: v, float32.

    Returns:
        float32, the shape of v; zeros where v has no direction.
    """
    xp = namespace(direction)
    norms = weight_lengths(direction, tuple(length.shape))
    # The other branch of `where` is computed too.
    scale = xp.where(norms > 0, length / xp.where(norms > 0, norms, xp.ones_like(norms)), xp.zeros_like(norms))
    return direction * scale


def weight_lengths(weight: Array, shape: tuple[int, ...]) -> Array:
    """Give the norms ‖w‖ that weight norm stores as g.

    Args:
        weight: float32.
        shape: That of g.

    Returns:
        float32, `shape`; summed up in float64.
    """
    xp = namespace(weight)
    over = tuple(place for place, size in enumerate(shape) if size == 1)
    squares = (weight * weight).sum(axis=over, keepdims=True, dtype=xp.float64) if over else weight * weight
    return xp.asarray(xp.sqrt(squares), dtype=xp.float32)


weight_norm = weight_norm_plain
