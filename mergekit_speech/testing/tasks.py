"""Proves the facts that a task states about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mergekit_speech.speech.clip import Clip
    from mergekit_speech.tasks.parts.labels import Labels
    from mergekit_speech.tasks.parts.rows import Rows
    from mergekit_speech.tasks.parts.splits import Splits
    from mergekit_speech.tasks.parts.task import HeadBuilder, Task

DIM = 24
FRAMES = (96, 61)
STEPS, RATE = 60, 5e-3
FALL = 0.9
"""What the loss of two clips must fall to, as a share of the first one, within sixty steps."""
LONGER = 4
"""Outputs with a frame axis are this much longer where they are learnt themselves, so that any answer fits."""
OUTPUT_STEPS, OUTPUT_RATE = 100, 1.0
NEAR = 0.05
"""How far from perfect the first metric of an output with next to no loss may be."""


def check_task(task: Task, splits: Splits, *, seed: int = 0) -> None:
    """Prove the facts that a task states about itself, on random hidden states.

    Checked: the statements themselves; labels that depend on the training clips alone; targets, a tensor a clip; heads
    of probing and of tuning: a finite loss that falls while two clips are learnt by heart, and that does not depend on
    what lies behind a clip's end; decoding that inverts targets: what the loss takes for right is decoded into answers
    that the first metric takes for right, 1 or, where lower is better, 0 (of heads whose output is one tensor); an
    answer a clip; rows about one number of items, made again alike; figures, each
    stated metric and no other, that change nothing in the rows, do not depend on the order of the items, and agree with
    `draws`.

    Args:
        task: What to check.
        splits: Clips of the task, two and more a split; their recordings are not read.
        seed: Of the random hidden states.

    Raises:
        AssertionError: A fact does not hold; the message says which.
    """
    _check_statements(task)
    for name in ("train", "valid", "test"):
        if len(getattr(splits, name)) < 2 and (task.trains or name != "train"):
            raise AssertionError(f"expected at least two {name} clips to check with, came {len(getattr(splits, name))}")
    if not task.trains:
        _check_rows(task, splits, partial(_random_frames, seed))
        return
    labels = task.labels(splits.train)
    if task.labels(list(splits.train)) != labels:
        raise AssertionError("expected the same labels from the same training clips, came others")
    for name, builder in (("probe_head", task.probe_head), ("tuning_head", task.tuning_head)):
        head = _check_head(task, name, builder, labels, splits.train[:2], seed)
        _check_rows(task, splits, partial(_answers, task, head, labels, seed))
        _check_decoding(task, name, head, labels, splits.train[:2], seed)


def _check_statements(task: Task) -> None:
    if not task.name or not task.title or "\n" in task.title:
        raise AssertionError(f"expected a name and a title of one line, came {task.name!r} and {task.title!r}")
    names = [metric.name for metric in task.metrics]
    if not names or len(set(names)) < len(names):
        raise AssertionError(f"expected at least one metric, each once, came {names!r}")


def _check_head(
    task: Task, name: str, builder: HeadBuilder, labels: Labels, clips: Sequence[Clip], seed: int
) -> nn.Module:
    """Learns two clips by heart."""
    import torch

    torch.manual_seed(seed)
    head, targets = builder(DIM, len(labels)), task.targets(clips, labels)
    if len(targets) != len(clips):
        raise AssertionError(f"expected a target for each of {len(clips)} clips, came {len(targets)}")
    hidden, lengths = torch.randn(len(clips), max(FRAMES), DIM), torch.tensor(FRAMES)
    _check_padding(task, name, head.eval(), hidden, lengths, targets)
    optimizer, losses = torch.optim.Adam(head.parameters(), lr=RATE), []
    for _ in range(STEPS):
        loss = task.loss(head(hidden, lengths), lengths, targets)
        if loss.shape != () or not torch.isfinite(loss):
            raise AssertionError(f"{name}: expected a loss of one finite number, came {loss!r}")
        losses.append(float(loss.detach()))
        if losses[-1] < FALL * losses[0]:
            return head
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    raise AssertionError(
        f"{name}: expected a loss that falls while two clips are learnt by heart, came {losses[0]:.4g} and, after"
        f" {STEPS} steps, {losses[-1]:.4g}"
    )


def _check_padding(
    task: Task,
    name: str,
    head: nn.Module,
    hidden: torch.Tensor,
    lengths: torch.Tensor,
    targets: Sequence[torch.Tensor],
) -> None:
    import torch

    other = hidden.clone()
    for row, length in zip(other, lengths.tolist(), strict=True):
        row[length:] = 7.0
    with torch.no_grad():
        one, two = (task.loss(head(states, lengths), lengths, targets) for states in (hidden, other))
    if not torch.allclose(one, two, rtol=1e-4):
        raise AssertionError(
            f"{name}: expected a loss that does not depend on what lies behind a clip's end, came {float(one):.6g} and"
            f" {float(two):.6g}"
        )


def _check_decoding(task: Task, name: str, head: nn.Module, labels: Labels, clips: Sequence[Clip], seed: int) -> None:
    """Learns an output itself, without a head, and decodes it."""
    import torch

    torch.manual_seed(seed)
    lengths = torch.tensor(FRAMES)
    with torch.no_grad():
        output = head(torch.randn(len(clips), max(FRAMES), DIM), lengths)
    if not isinstance(output, torch.Tensor):
        return
    if output.ndim == 3:
        output, lengths = output.repeat(1, LONGER, 1), LONGER * lengths
    learnt, targets = torch.randn(output.shape).mul_(0.01).requires_grad_(), task.targets(clips, labels)
    optimizer = torch.optim.Adam([learnt], lr=OUTPUT_RATE)
    for _ in range(OUTPUT_STEPS):
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(learnt, lengths, targets))
        optimizer.step()
    said = task.decode(learnt.detach(), lengths, labels)
    answers = {clip.id: answer for clip, answer in zip(clips, said, strict=True)}
    metric, figures = task.metrics[0], task.figures(task.measure(answers, clips, task.decide(answers, clips)))
    perfect = 0 if metric.lower_is_better else 1
    if not abs(figures[metric.name] - perfect) <= NEAR:
        raise AssertionError(
            f"{name}: expected that decoding inverts targets, {metric.name} {perfect} of an output with next to no"
            f" loss, came {figures[metric.name]:.4g}"
        )


def _answers(task: Task, head: nn.Module, labels: Labels, seed: int, clips: Sequence[Clip]) -> Mapping[str, Any]:
    import torch

    torch.manual_seed(seed)
    hidden, lengths = torch.randn(len(clips), max(FRAMES), DIM), torch.full((len(clips),), max(FRAMES))
    with torch.no_grad():
        answers = task.decode(head(hidden, lengths), lengths, labels)
    if len(answers) != len(clips):
        raise AssertionError(f"expected an answer for each of {len(clips)} clips, came {len(answers)}")
    return {clip.id: answer for clip, answer in zip(clips, answers, strict=True)}


def _random_frames(seed: int, clips: Sequence[Clip]) -> Mapping[str, Any]:
    import numpy as np

    rng = np.random.default_rng(seed)
    return {clip.id: rng.standard_normal((FRAMES[0], DIM)).astype(np.float32) for clip in clips}


def _check_rows(task: Task, splits: Splits, answer: Callable[[Sequence[Clip]], Mapping[str, Any]]) -> None:
    import numpy as np

    answers = answer(splits.test)
    decision = task.decide(answer(splits.valid), splits.valid)
    rows, again = (task.measure(answers, splits.test, decision) for _ in range(2))
    sizes = {name: len(column) for name, column in rows.items()}
    if not sizes or len(set(sizes.values())) > 1 or not all(sizes.values()):
        raise AssertionError(f"expected rows about one number of items, at least one, came {sizes!r}")
    if rows.keys() != again.keys() or any(not np.array_equal(rows[name], again[name]) for name in rows):
        raise AssertionError("expected the same rows from the same answers, came others")
    _check_figures(task, rows, next(iter(sizes.values())))


def _check_figures(task: Task, rows: Rows, items: int) -> None:
    import numpy as np

    before = {name: column.copy() for name, column in rows.items()}
    figures = task.figures(rows)
    stated = {metric.name for metric in task.metrics}
    if not figures.keys() <= stated or task.metrics[0].name not in figures:
        raise AssertionError(
            f"expected figures among the metrics {sorted(stated)!r}, the first one at least, came {sorted(figures)!r}"
        )
    order = np.arange(items)[::-1]
    _refuse_other(task.figures({name: column[order] for name, column in rows.items()}), figures, "other order")
    counts = np.stack([np.ones(items, np.int64), np.full(items, 2)])
    drawn = task.draws(rows, counts)
    for place, said in enumerate(("draws of each item once", "draws of each item twice")):
        _refuse_other({name: float(values[place]) for name, values in drawn.items()}, figures, said)
    if any(not np.array_equal(rows[name], before[name]) for name in before):
        raise AssertionError("expected rows as they were, came other values after computing figures")


def _refuse_other(found: Mapping[str, float], expected: Mapping[str, float], where: str) -> None:
    import numpy as np

    same = found.keys() == expected.keys() and all(
        np.isclose(found[name], expected[name], equal_nan=True) for name in expected
    )
    if not same:
        raise AssertionError(f"expected the same figures from {where}, {dict(expected)!r}, came {dict(found)!r}")
