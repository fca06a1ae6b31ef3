"""The loop: what it computes, which state it keeps, and how it stops."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch

from mergekit_speech.errors import DataError, Interrupted, OutputError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import MemoryCheckpoints
from mergekit_speech.training.rates import Trapezoid
from tests.training.toy import CLIPS, Batch, Line, Watcher, build, collate, judge, press_ctrl_c


def script(learner: Line, *losses: float) -> tuple[Callable[[], Mapping[str, float]], list[list[float]]]:
    """Evaluations that give these losses in turn, and the weights that each saw."""
    seen: list[list[float]] = []

    def evaluate() -> Mapping[str, float]:
        assert not learner.training
        assert not torch.is_grad_enabled()
        seen.append(learner.weights())
        return {"loss": losses[len(seen) - 1], "extra": 5.0}

    return evaluate, seen


def test_loss_falls_on_an_easy_task() -> None:
    learner = Line()
    start = judge(learner)["loss"]
    outcome = build(MemoryCheckpoints(), learner=learner, steps=60, evaluate_every=20, learning_rate=0.1).run()
    assert outcome.best["loss"] < start / 5


def test_best_evaluation_is_restored_not_the_last() -> None:
    learner = Line()
    evaluate, seen = script(learner, 3.0, 1.0, 2.0)
    watcher = Watcher()
    outcome = build(MemoryCheckpoints(), watcher, learner=learner, evaluate=evaluate).run()
    assert (outcome.best_step, outcome.best) == (8, {"loss": 1.0, "extra": 5.0})
    assert learner.weights() == seen[1] != seen[2]
    assert not learner.training
    assert [event.best for event in watcher.evaluations] == [True, True, False]
    assert list(outcome.history) == [
        {"step": step, "loss": loss, "extra": 5.0} for step, loss in ((4, 3.0), (8, 1.0), (10, 2.0))
    ]


def test_evaluations_before_the_first_candidate_cannot_win() -> None:
    learner = Line()
    evaluate, seen = script(learner, 1.0, 3.0, 2.0)
    outcome = build(MemoryCheckpoints(), learner=learner, evaluate=evaluate, candidates_from=5).run()
    assert (outcome.best_step, outcome.best["loss"]) == (10, 2.0)
    assert learner.weights() == seen[2]


def test_earlier_of_two_equal_evaluations_is_kept() -> None:
    learner = Line()
    evaluate, _ = script(learner, 1.0, 1.0, 1.0)
    assert build(MemoryCheckpoints(), learner=learner, evaluate=evaluate).run().best_step == 4


def test_observers_hear_of_every_step_and_evaluation() -> None:
    watcher = Watcher()
    build(MemoryCheckpoints(), watcher, rate=Trapezoid(0.2, 0.5), accumulate=2).run()
    assert (watcher.starts, watcher.closed) == ([(0, 10)], 1)
    assert [event.step for event in watcher.steps] == list(range(1, 11))
    factors = [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert [event.learning_rate for event in watcher.steps] == pytest.approx([0.05 * factor for factor in factors])
    assert [event.step for event in watcher.evaluations] == [4, 8, 10]
    assert all(event.seconds > 0 and event.gradient_norm > 0 for event in watcher.steps)
    # 2 × 4 batches make an epoch of all clips.
    assert sum(event.audio_seconds for event in watcher.steps[:2]) == sum(clip.duration for clip in CLIPS)


def test_step_by_hand() -> None:
    learner = Line()
    learner.dropout.p = 0.0
    start = learner.plane.weight.detach().clone()
    batches: list[Batch] = []

    def remember(clips: Sequence[Clip], number: int) -> Batch:
        batches.append(collate(clips, number))
        return batches[-1]

    watcher = Watcher()
    build(MemoryCheckpoints(), watcher, learner=learner, collate=remember, steps=1, accumulate=2, clip_norm=0.01).run()
    twin = Line()
    losses = [torch.nn.functional.mse_loss(twin.plane(points), heights) for points, heights in batches[:2]]
    (sum(losses, torch.tensor(0.0)) / 2).backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in twin.parameters() if parameter.grad is not None]
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    assert watcher.steps[0].loss == pytest.approx(sum(float(loss.detach()) for loss in losses) / 2)
    assert watcher.steps[0].gradient_norm == pytest.approx(norm)
    # Adam's first step goes the whole rate along each sign.
    assert torch.allclose(learner.plane.weight, start - 0.05 * gradients[0].sign(), atol=1e-5)


def test_same_seed_same_weights_and_another_seed_others() -> None:
    weights: list[list[float]] = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(weights))
        learner = Line()
        build(MemoryCheckpoints(), learner=learner, seed=seed).run()
        weights.append(learner.weights())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_forward_pass_alone(precision: str, dtype: torch.dtype) -> None:
    learner = Line()
    build(MemoryCheckpoints(), learner=learner, steps=2, precision=precision).run()
    assert set(learner.seen) == {dtype}
    assert {parameter.dtype for parameter in learner.parameters()} == {torch.float32}


def test_weight_decay_shrinks_the_weights() -> None:
    norms = []
    for decay in (0.0, 5.0):
        learner = Line()
        build(MemoryCheckpoints(), learner=learner, weight_decay=decay, evaluate=lambda: {"loss": 1.0}, steps=4).run()
        norms.append(sum(weight**2 for weight in learner.weights()))
    assert norms[1] < norms[0]


@pytest.mark.parametrize(("value", "named"), [(math.nan, "nan"), (math.inf, "inf")])
def test_loss_that_is_not_finite_names_the_clips(value: float, named: str) -> None:
    broken: list[str] = []

    def spoil(clips: Sequence[Clip], number: int) -> Batch:
        points, heights = collate(clips, number)
        if number == 2:
            broken.extend(clip.id for clip in clips)
            heights[0] = value
        return points, heights

    learner, watcher = Line(), Watcher()
    with pytest.raises(DataError) as caught:
        build(MemoryCheckpoints(), watcher, learner=learner, collate=spoil).run()
    assert str(caught.value) == (
        f"the loss is {named} at step 3, on clips {', '.join(broken)}: look at these clips or lower the learning rate"
    )
    assert watcher.closed == 1
    assert all(math.isfinite(weight) for weight in learner.weights())


def test_gradient_that_is_not_finite_spoils_no_weight() -> None:
    class Steep(Line):
        def forward(self, batch: Batch) -> torch.Tensor:
            # The slope of a square root at zero.
            return (self.plane.weight * 0).sum().sqrt()

    learner = Steep()
    with pytest.raises(DataError, match=r"^the gradient is nan at step 1, on clips \d, \d, \d: look at these clips"):
        build(MemoryCheckpoints(), learner=learner).run()
    assert all(math.isfinite(weight) for weight in learner.weights())


def test_a_scaled_gradient_that_overflows_is_computed_again_with_a_smaller_scale() -> None:
    class Steep(Line):
        def forward(self, batch: Batch) -> torch.Tensor:
            # The gradient is far below the greatest float16, 65,504; the scale starts at 65,536.
            return super().forward(batch) * 30

    half, single = Steep(), Steep()
    heard = Watcher()
    build(MemoryCheckpoints(), heard, learner=half, precision="fp16").run()
    build(MemoryCheckpoints(), learner=single).run()
    assert half.weights() == pytest.approx(single.weights(), abs=1e-2)
    assert len(half.seen) > len(single.seen), "no pass was repeated"
    assert all(math.isfinite(event.gradient_norm) for event in heard.steps)


def test_clip_that_cannot_be_read_stops_the_run() -> None:
    def refuse(clips: Sequence[Clip], number: int) -> Batch:
        raise DataError("clip a.flac does not exist")

    with pytest.raises(DataError, match=r"^clip a\.flac does not exist$"):
        build(MemoryCheckpoints(), collate=refuse).run()


def test_full_disk_under_an_observer_is_one_line() -> None:
    def fill_up(step: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError) as caught:
        build(MemoryCheckpoints(), Watcher(fill_up)).run()
    assert str(caught.value) == (
        "cannot go on with the run ([Errno 28] No space left on device): free some space, then use --resume"
    )


def test_ctrl_c_ends_behind_the_step(tmp_path: Path) -> None:
    watcher = Watcher(press_ctrl_c(3))
    with pytest.raises(Interrupted, match=r"^stopped after step 3 of 10; --resume continues from here$"):
        build(tmp_path, watcher).run()
    assert (len(watcher.steps), watcher.closed) == (3, 1)
    assert (tmp_path / "checkpoints" / "last.pt").is_file()


def test_ctrl_c_in_the_last_step_changes_nothing() -> None:
    plain, pressed = Line(), Line()
    build(MemoryCheckpoints(), learner=plain).run()
    build(MemoryCheckpoints(), Watcher(press_ctrl_c(10)), learner=pressed).run()
    assert plain.weights() == pressed.weights()


def test_learner_is_told_of_every_step_and_only_its_moving_parameters_move() -> None:
    class Phased(Line):
        def __init__(self) -> None:
            super().__init__()
            self.entered: list[int] = []

        def trained(self) -> list[torch.nn.Parameter]:
            return list(self.parameters())

        def enter(self, step: int) -> bool:
            self.entered.append(step)
            moves = step >= 3
            changed = self.plane.weight.requires_grad is not moves
            self.plane.weight.requires_grad_(moves)
            return changed

    learner = Phased()
    start = learner.plane.weight.detach().clone()
    moved: list[bool] = []
    watcher = Watcher(lambda step: moved.append(not torch.equal(learner.plane.weight, start)))
    build(MemoryCheckpoints(), watcher, learner=learner, weight_decay=0.1, steps=5, evaluate_every=5).run()
    assert moved == [False, False, False, True, True]
    assert sorted(set(learner.entered)) == list(range(5))
