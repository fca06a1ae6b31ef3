"""Trains and tests one probe."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from mergekit_speech.errors import Interrupted, MsmError
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.superb.probe import Probe, ProbeBatch, States, evaluate
from mergekit_speech.superb.results import ProbedEncoder, ProbeResult
from mergekit_speech.training.checkpoints import MemoryCheckpoints
from mergekit_speech.training.events import Observer
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.loop import Loop


def train_probe(
    assignment: Assignment, encoder: ProbedEncoder, states: States, seed: int, observers: Sequence[Observer] = ()
) -> ProbeResult:
    """Trains a head from scratch on the training split, and tests its best checkpoint on the validation split.

    Args:
        assignment: What to learn, on what, how.
        encoder: Whose hidden states.
        states: Where they come from.
        seed: Decides head and order of clips.
        observers: Told of every step and validation.

    Raises:
        MsmError: Whatever goes wrong; the message names task, encoder and seed.
    """
    started = time.perf_counter()
    try:
        return _train(assignment, encoder, states, seed, observers, started)
    except Interrupted:
        raise
    except MsmError as fault:
        raise type(fault)(f"task {assignment.task.name!r}, encoder {encoder.label!r}, seed {seed}: {fault}") from fault


def _train(
    assignment: Assignment,
    encoder: ProbedEncoder,
    states: States,
    seed: int,
    observers: Sequence[Observer],
    started: float,
) -> ProbeResult:
    task, labels, splits, settings = assignment.task, assignment.labels, assignment.splits, assignment.settings
    probe = fresh_probe(assignment, encoder, states, seed)

    loop = Loop(
        probe,
        Feed(
            ClipStream(splits.train, BatchLimits(clips=settings.clips), seed),
            lambda clips, _: ProbeBatch(clips, task.targets(clips, labels)),
        ),
        settings.loop(seed),
        lambda: evaluate(probe, task, labels, splits.valid),
        assignment.goal,
        MemoryCheckpoints(),
        observers,
    )
    outcome = loop.run()
    test = evaluate(probe, task, labels, splits.test)
    return ProbeResult(
        encoder=encoder.label,
        task=task.name,
        seed=seed,
        settings=settings,
        best_step=outcome.best_step,
        valid=dict(outcome.best),
        test=dict(test),
        n=len(splits.test),
        layer_weights=probe.layer_weights(),
        seconds=time.perf_counter() - started,
    )


def fresh_probe(assignment: Assignment, encoder: ProbedEncoder, states: States, seed: int) -> Probe:
    """Builds a probe whose weights depend on the seed alone: encoders of one shape start from the same head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Probe(assignment.task, assignment.labels, states, depth=encoder.depth, dim=encoder.dim)
