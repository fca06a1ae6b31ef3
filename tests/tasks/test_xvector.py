"""The x-vector head: statistics by hand, padding, short clips."""

from __future__ import annotations

import pytest
import torch

from mergekit_speech.tasks.parts.xvector import LEAST, SPAN, XVector, _statistics

LENGTHS = torch.tensor([24, 18, 16])


def head() -> XVector:
    torch.manual_seed(0)
    return XVector(8, 3, hidden=6, pooled=10)


def states(frames: int = 24) -> torch.Tensor:
    return torch.randn(3, frames, 8, generator=torch.Generator().manual_seed(1))


def test_sizes_are_those_of_superb() -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in XVector(8, 3).named_parameters()}
    assert {name: shape for name, shape in shapes.items() if not name.endswith("bias")} == {
        "speakers": (512, 3),
        "project.weight": (512, 8),
        "layers.0.weight": (512, 512, 5),
        "layers.1.weight": (512, 512, 3),
        "layers.2.weight": (512, 512, 3),
        "layers.3.weight": (512, 512, 1),
        "layers.4.weight": (1500, 512, 1),
        "embed.weight": (512, 3000),
        "refine.weight": (512, 512),
    }
    assert SPAN == 15


def test_embeddings_and_cosines() -> None:
    voices = head()(states(), LENGTHS)
    assert voices.embeddings.shape == (3, 6)
    assert voices.cosines.shape == (3, 3)
    assert float(voices.cosines.detach().abs().max()) <= 1 + 1e-6


def test_padding_has_no_say() -> None:
    net, hidden = head(), states()
    other = hidden.clone()
    other[1, 18:], other[2, 16:] = 1e3, -1e3
    for one, two in zip(net(hidden, LENGTHS), net(other, LENGTHS), strict=True):
        assert torch.equal(one, two)


def test_batch_and_single_clips_agree() -> None:
    net, hidden = head(), states()
    together = net(hidden, LENGTHS).embeddings
    for row, length in enumerate(LENGTHS.tolist()):
        alone = net(hidden[row : row + 1, :length], LENGTHS[row : row + 1]).embeddings
        assert torch.allclose(alone, together[row : row + 1], atol=1e-6)


def test_statistics_by_hand() -> None:
    frames = torch.tensor([[[1.0, 3.0, 99.0], [5.0, 5.0, 99.0]]])
    found = _statistics(frames, torch.tensor([2]))
    assert found[0].tolist() == pytest.approx([2.0, 5.0, 2**0.5, 1e-6])


def test_a_unit_that_is_silent_throughout_has_a_finite_gradient() -> None:
    frames = torch.zeros(1, 2, 5, requires_grad=True)
    _statistics(frames, torch.tensor([5])).sum().backward()  # type: ignore[no-untyped-call]
    assert frames.grad is not None
    assert torch.isfinite(frames.grad).all()


@pytest.mark.parametrize("length", [1, 5, LEAST - 1])
def test_a_short_clip_is_lengthened_by_its_last_frame(length: int) -> None:
    net, hidden = head(), states()[:1, :length]
    longer = torch.cat([hidden, hidden[:, -1:].expand(-1, LEAST - length, -1)], dim=1)
    short, whole = net(hidden, torch.tensor([length])), net(longer, torch.tensor([LEAST]))
    assert torch.equal(short.embeddings, whole.embeddings)
    assert torch.isfinite(short.embeddings).all()


def test_a_short_clip_beside_a_long_one() -> None:
    net, hidden = head(), states()
    beside = net(hidden, torch.tensor([24, 18, 4])).embeddings[2]
    alone = net(hidden[2:, :4], torch.tensor([4])).embeddings[0]
    assert torch.allclose(beside, alone, atol=1e-6)
