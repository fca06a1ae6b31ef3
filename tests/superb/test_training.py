"""One probe: what decides it, and what it leaves alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError, DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.superb.results import ProbedEncoder, ProbeResult
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.states import StateStore
from mergekit_speech.superb.training import fresh_probe, train_probe
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from tests.superb.corpus import assignment, rewrite

TINY = ProbedEncoder("tiny", "tiny", "blake3:0", depth=3, dim=32, parameters=0)
WILD = Overrides(steps=20, learning_rate=3e-1, clips=4, accumulate=1, evaluate_every=1)


@pytest.fixture(scope="module")
def store(tiny_encoders: dict[str, Path]) -> StateStore:
    return StateStore(load_encoder(tiny_encoders["hubert"]), "tiny", 1 << 30)


class Watching:
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.evaluations: list[EvaluationEvent] = []
        self.losses: list[float] = []

    def start(self, done: int, steps: int) -> None:
        pass

    def stepped(self, event: StepEvent) -> None:
        self.losses.append(event.loss)

    def evaluated(self, event: EvaluationEvent) -> None:
        self.evaluations.append(event)

    def close(self) -> None:
        pass


def same(one: ProbeResult, other: ProbeResult) -> bool:
    return replace(one, seconds=0) == replace(other, seconds=0)


@pytest.mark.parametrize("task", ["pr", "ks", "er"])
def test_result_says_what_was_done(corpus: Path, store: StateStore, task: str) -> None:
    job = assignment(corpus, task)
    done = train_probe(job, TINY, store, seed=3)
    assert (done.encoder, done.task, done.seed, done.settings) == ("tiny", task, 3, job.settings)
    assert done.n == len(job.folds[0].splits.test)
    assert done.test.keys() == done.valid.keys() == {metric.name for metric in job.task.metrics}
    (best,) = done.best_steps
    assert best in range(2, 9, 2)
    assert done.test == job.task.figures(done.rows)
    assert {len(column) for column in done.rows.values()} == {done.n}
    assert sum(done.layer_weights) == pytest.approx(1)
    assert done.seconds > 0


def test_encoder_does_not_change(corpus: Path, tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    for task in ("pr", "ks"):
        train_probe(assignment(corpus, task), TINY, StateStore(encoder, "tiny", budget=0), seed=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in encoder.parameters())


@pytest.mark.parametrize("task", ["pr", "ks"])
def test_seed_repeats_and_another_seed_differs(corpus: Path, store: StateStore, task: str) -> None:
    job = assignment(corpus, task)
    runs = [Watching() for _ in range(3)]
    one, again, _ = (train_probe(job, TINY, store, seed, [run]) for seed, run in zip((0, 0, 1), runs, strict=True))
    assert same(one, again)
    assert runs[0].losses == runs[1].losses
    assert runs[0].losses != runs[2].losses


def test_global_random_state_has_no_say(corpus: Path, store: StateStore) -> None:
    job = assignment(corpus, "ks")
    torch.manual_seed(1)
    one = fresh_probe(job.task, job.folds[0].labels, TINY, store, seed=0)
    torch.manual_seed(2)
    other = fresh_probe(job.task, job.folds[0].labels, TINY, store, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_best_validation_checkpoint_is_tested_and_not_the_last(corpus: Path, store: StateStore) -> None:
    """At a constant rate, a run cut at the best step ends where the long one found its best."""
    job = assignment(corpus, "pr", WILD)
    runs = ((seed, *run(job, store, seed)) for seed in range(6))
    seed, done, events = next((seed, done, events) for seed, done, events in runs if done.best_steps[0] < steps_of(job))
    best = min(events, key=lambda event: event.metrics["per"])
    assert (done.best_steps, done.valid) == ([best.step], best.metrics)
    assert done.valid != events[-1].metrics
    assert job.settings is not None
    short = replace(job, settings=replace(job.settings, steps=best.step, evaluate_every=best.step))
    assert train_probe(short, TINY, store, seed).test == done.test


def steps_of(job: Assignment) -> int:
    assert job.settings is not None
    return job.settings.steps


def run(job: Assignment, store: StateStore, seed: int) -> tuple[ProbeResult, list[EvaluationEvent]]:
    watching = Watching()
    return train_probe(job, TINY, store, seed, [watching]), watching.evaluations


@pytest.mark.parametrize("task", ["pr", "ks"])
def test_labels_of_the_test_split_never_reach_training(
    corpus: Path, store: StateStore, tmp_path: Path, task: str
) -> None:
    shutil.copytree(corpus, tmp_path / "data")
    rewrite(tmp_path / "data", task, {"label": "low", "phones": ["L", "OW"]}, split="test")
    watched = [Watching(), Watching()]
    one = train_probe(assignment(corpus, task), TINY, store, 0, [watched[0]])
    other = train_probe(assignment(tmp_path / "data", task), TINY, store, 0, [watched[1]])
    assert watched[0].losses == watched[1].losses
    assert (one.best_steps, one.valid, one.layer_weights) == (other.best_steps, other.valid, other.layer_weights)
    assert one.test != other.test


def test_spectra_tell_the_tones_apart(corpus: Path) -> None:
    from mergekit_speech.encoders.filterbank import LogMel

    logmel = ProbedEncoder("logmel", "logmel", "built-in:logmel", depth=1, dim=80, parameters=0)
    job = assignment(corpus, "ks", Overrides(steps=60, learning_rate=1e-2, clips=6, accumulate=1))
    assert train_probe(job, logmel, StateStore(LogMel(), "logmel", 1 << 30), seed=0).test["acc"] == 1.0


def test_fault_names_task_encoder_and_seed(corpus: Path, tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    dict(encoder.named_parameters())["model.feature_projection.projection.bias"].data[0] = float("nan")
    store = StateStore(encoder, "tiny", 1 << 30)
    with pytest.raises(CheckpointError, match="task 'ks', encoder 'tiny', seed 5: encoder tiny: hidden states of"):
        train_probe(assignment(corpus, "ks"), TINY, store, seed=5)


def test_loss_that_is_not_finite_names_the_clips(corpus: Path) -> None:
    class Endless:
        def read(self, clip: Clip) -> torch.Tensor:
            return torch.full((3, 9, 32), 3e38)

        read_mean = read

    with pytest.raises(
        DataError, match=r"task 'ks', encoder 'tiny', seed 0: the loss is .* at step 1, on clips train-"
    ):
        train_probe(assignment(corpus, "ks"), TINY, Endless(), seed=0)
