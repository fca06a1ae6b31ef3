"""Trains and tests one probe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from mergekit_speech.errors import Interrupted, MsmError
from mergekit_speech.speech.batches import BatchLimits
from mergekit_speech.superb.assignment import Assignment, Fold
from mergekit_speech.superb.layers import Tested, pick_layer
from mergekit_speech.superb.probe import Probe, ProbeBatch, States, answer, mean_suffices
from mergekit_speech.superb.results import NATIVE, ProbedEncoder, ProbeResult
from mergekit_speech.tasks.parts.drawing import draw
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import join_folds
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.checkpoints import MemoryCheckpoints
from mergekit_speech.training.events import Observer
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.loop import Loop

_Judge = Callable[[bool], Tested]
"""Judges a trained head on the validation split, and on the test split too if so told."""


@dataclass(frozen=True)
class TriedProbe:
    """Heads of all folds of a task, trained and not tested.

    Attributes:
        result: What there is to say of them; it has no test figures.
        test: Hears the test split, and says all there is to say.
    """

    result: ProbeResult
    test: Callable[[], ProbeResult]


def train_probe(
    assignment: Assignment, encoder: ProbedEncoder, states: States, seed: int, observers: Sequence[Observer] = ()
) -> ProbeResult:
    """Trains a head from scratch for each fold, and tests its best checkpoint on the validation split.

    A task that trains no head is tested on the hidden state that does best on the validation split.

    Args:
        assignment: What to learn, on what, how.
        encoder: Whose hidden states.
        states: Where they come from.
        seed: Decides head and order of clips.
        observers: Told of every step and validation.

    Raises:
        MsmError: Whatever goes wrong; the message names task, encoder and seed.
    """

    def train(fold: Fold) -> Tested:
        return _learn(assignment, fold, encoder, states, seed, observers)(True)

    return train_folds(assignment, encoder, seed, NATIVE, train)


def try_probe(
    assignment: Assignment, encoder: ProbedEncoder, states: States, seed: int, observers: Sequence[Observer] = ()
) -> TriedProbe:
    """Trains heads as `train_probe` does, and leaves the test split alone until it is asked for.

    Args:
        assignment: What to learn, on what, how.
        encoder: Whose hidden states.
        states: Where they come from.
        seed: Decides head and order of clips.
        observers: Told of every step and validation.

    Raises:
        MsmError: As `train_probe`.
    """
    heads: dict[int | None, _Judge] = {}

    def train(fold: Fold) -> Tested:
        heads[fold.splits.fold] = _learn(assignment, fold, encoder, states, seed, observers)
        return heads[fold.splits.fold](False)

    tried = train_folds(assignment, encoder, seed, NATIVE, train)

    def test() -> ProbeResult:
        whole = train_folds(assignment, encoder, seed, NATIVE, lambda fold: heads[fold.splits.fold](True))
        return replace(whole, seconds=tried.seconds + whole.seconds)

    return TriedProbe(tried, test)


def train_folds(
    assignment: Assignment, encoder: ProbedEncoder, seed: int, engine: str, train: Callable[[Fold], Tested]
) -> ProbeResult:
    """Makes one result of all folds of a task.

    Args:
        assignment: What to learn, on what, how.
        encoder: Whose hidden states.
        seed: Decides head and order of clips.
        engine: Name of what trains.
        train: Trains and tests the head of a fold.

    Raises:
        MsmError: Whatever goes wrong; the message names task, encoder and seed.
    """
    started, task = time.perf_counter(), assignment.task
    try:
        done = [(fold.splits.fold, train(fold)) for fold in assignment.folds]
    except Interrupted:
        raise
    except MsmError as fault:
        raise type(fault)(f"task {task.name!r}, encoder {encoder.label!r}, seed {seed}: {fault}") from fault
    valid = join_folds([(fold, part.valid) for fold, part in done])
    # A head that only tries a learning rate has no test rows.
    test = join_folds([(fold, part.test) for fold, part in done]) if done[0][1].test else {}
    return ProbeResult(
        encoder=encoder.label,
        task=task.name,
        seed=seed,
        settings=assignment.settings,
        best_steps=[part.best_step for _, part in done if part.best_step is not None],
        valid=dict(task.figures(valid)),
        test=dict(task.figures(test)) if test else {},
        n=assignment.tested,
        layer_weights=[fmean(shares) for shares in zip(*(part.layer_weights for _, part in done), strict=True)],
        seconds=time.perf_counter() - started,
        rows=test,
        engine=engine,
    )


def _learn(
    assignment: Assignment,
    fold: Fold,
    encoder: ProbedEncoder,
    states: States,
    seed: int,
    observers: Sequence[Observer],
) -> _Judge:
    """Trains a head, and returns what judges it."""
    task, labels, settings = assignment.task, fold.labels, assignment.settings
    if settings is None:
        return lambda _: pick_layer(task, fold.splits, states, encoder.depth)
    probe = fresh_probe(task, labels, encoder, states, seed)
    examination = Examination(task, fold.splits, lambda clips: answer(probe, task, labels, clips))
    limits = BatchLimits(clips=settings.clips)
    loop = Loop(
        probe,
        Feed(
            # SUPERB draws by chance; similar lengths, which tell of the answer too, pay only where rows are padded.
            draw(task, fold.splits.train, labels, limits, seed, bucketed=not mean_suffices(task)),
            lambda clips, _: ProbeBatch(clips, task.targets(clips, labels)),
        ),
        settings.loop(seed),
        examination.validate,
        assignment.goal,
        MemoryCheckpoints(),
        observers,
    )
    best_step = loop.run().best_step

    def judge(tested: bool) -> Tested:
        valid, test = examination.conclude() if tested else (examination.valid_rows(), {})
        return Tested(valid, test, probe.layer_weights(), best_step)

    return judge


def fresh_probe(task: Task, labels: Labels, encoder: ProbedEncoder, states: States, seed: int) -> Probe:
    """Builds a probe whose weights depend on the seed alone: encoders of one shape start from the same head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Probe(task, labels, states, depth=encoder.depth, dim=encoder.dim)
