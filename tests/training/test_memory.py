"""A batch that does not fit into memory is taken in halves, once, and counts as before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import MemoryCheckpoints
from tests.training.toy import Batch, Line, Watcher, build


class Small(Line):
    """Runs out of memory on more clips than `room`."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.dropout.p, self.room = 0.0, room
        self.sizes: list[int] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        self.sizes.append(len(batch[0]))
        if len(batch[0]) > self.room:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return super().forward(batch)


def test_batch_that_does_not_fit_is_halved_with_a_word_and_noted_in_the_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    learner, watcher, checkpoints = Small(2), Watcher(), MemoryCheckpoints()
    build(checkpoints, watcher, learner=learner, accumulate=2).run()
    assert caplog.messages == ["out of memory at step 1: from here on each batch is taken in two halves"]
    assert sum(size > 2 for size in learner.sizes) == 1
    assert [event.step for event in watcher.steps] == list(range(1, 11))
    assert (checkpoints.load("last") or {})["halved"] is True


def test_halves_of_the_same_points_give_the_same_step() -> None:
    def rows(clips: Sequence[Clip], number: int) -> Batch:
        ids = [float(clip.id) for clip in clips]
        points = torch.tensor(ids)[:, None] * torch.tensor([0.1, -0.2, 0.3, 0.4])
        return points, points.sum(dim=1, keepdim=True)

    runs = []
    for room in (3, 2):
        learner, watcher = Small(room), Watcher()
        build(MemoryCheckpoints(), watcher, learner=learner, collate=rows, accumulate=2).run()
        runs.append((learner.weights(), [event.loss for event in watcher.steps]))
    assert runs[0][0] == pytest.approx(runs[1][0], abs=1e-4)
    assert runs[0][1] == pytest.approx(runs[1][1], abs=1e-4)


def test_half_a_batch_that_does_not_fit_either() -> None:
    with pytest.raises(DataError) as caught:
        build(MemoryCheckpoints(), learner=Small(1)).run()
    assert str(caught.value) == (
        "out of memory at step 1 with half a batch at a time: give a smaller --batch and a larger --accumulate"
    )
