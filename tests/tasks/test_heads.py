"""Heads: shapes, and that padding has no say."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from mergekit_speech.registry import TASKS
from mergekit_speech.tasks.parts.heads import FrameLinear, MeanPooledLinear, Recurrent
from mergekit_speech.tasks.parts.masking import DIMENSION_MASKS, DIMENSIONS, FRAMES, TIME_MASKS, WARP
from mergekit_speech.tasks.parts.task import HeadBuilder

RECURRENT = partial(Recurrent, project=6, layers=2, hidden=5, dropout=0.2)
HEADS: tuple[HeadBuilder, ...] = (FrameLinear, MeanPooledLinear, RECURRENT)
LENGTHS = torch.tensor([9, 4, 1])


def built(builder: HeadBuilder) -> nn.Module:
    torch.manual_seed(0)
    return builder(8, 3).eval()


def states(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("builder", HEADS)
def test_padding_has_no_say(builder: HeadBuilder) -> None:
    head, hidden = built(builder), states()
    other = hidden.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        other[row, length:] = 1e3
    one, two = head(hidden, LENGTHS), head(other, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        kept = slice(length) if one.dim() == 3 else slice(None)
        assert torch.equal(one[row][kept], two[row][kept])


@pytest.mark.parametrize("builder", HEADS)
def test_batch_and_single_clips_agree(builder: HeadBuilder) -> None:
    head, hidden = built(builder), states()
    together = head(hidden, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = head(hidden[row : row + 1, :length], LENGTHS[row : row + 1])
        expected = together[row : row + 1, :length] if together.dim() == 3 else together[row : row + 1]
        assert torch.allclose(alone, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("builder", "shape"), [(FrameLinear, (3, 9, 3)), (MeanPooledLinear, (3, 3)), (RECURRENT, (3, 9, 3))]
)
def test_shapes(builder: HeadBuilder, shape: tuple[int, ...]) -> None:
    assert built(builder)(states(), LENGTHS).shape == shape


def test_recurrent_keeps_the_frames_of_a_batch_that_is_all_padded() -> None:
    assert built(RECURRENT)(states(), torch.tensor([4, 4, 2])).shape == (3, 9, 3)


def test_mean_pooling_is_linear_in_the_mean_frame() -> None:
    head = built(MeanPooledLinear)
    hidden = states()[:1]
    mean = hidden.mean(dim=1, keepdim=True)
    pooled, single = head(hidden, torch.tensor([9])), head(mean, torch.tensor([1]))
    assert torch.allclose(pooled, single, atol=1e-6)


@pytest.mark.parametrize("builder", [FrameLinear, MeanPooledLinear])
def test_linear_heads_project_to_256_as_superb_does(builder: HeadBuilder) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in builder(8, 3).named_parameters()}
    assert shapes == {
        "project.weight": (256, 8),
        "project.bias": (256,),
        "classify.weight": (3, 256),
        "classify.bias": (3,),
    }


def test_heads_of_fine_tuning_are_the_papers() -> None:
    asr, er = TASKS.load("asr"), TASKS.load("er")
    head = asr.tuning_head(768, 32)
    lstm = head.lstm
    assert (lstm.num_layers, lstm.hidden_size, lstm.bidirectional, lstm.dropout) == (3, 256, True, 0.2)
    assert (head.project.out_features, head.dropout.p, head.classify.in_features) == (256, 0.2, 512)
    assert asr.masked
    assert (WARP, DIMENSION_MASKS, DIMENSIONS, TIME_MASKS, FRAMES) == (5, 4, 50, 2, 40)
    pooled = er.tuning_head(768, 4)
    assert (pooled.project.out_features, pooled.classify.in_features) == (256, 256)
    assert [(task.tuning.steps, task.tuning.clips, task.tuning.accumulate) for task in (asr, er)] == [
        (50_000, 16, 1),
        (30_000, 4, 8),
    ]
    assert all(task.tuning.learning_rate == 1e-4 and task.tuning.clip_norm == 1 for task in (asr, er))
