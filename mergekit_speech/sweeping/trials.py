"""Trials: a point of a sweep × a task × a seed, probed in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from accelerate import PartialState

from mergekit_speech.errors import Interrupted, MsmError, OutputError
from mergekit_speech.superb.assignment import read_assignments
from mergekit_speech.superb.results import Failure, ProbedEncoder, ProbeResult
from mergekit_speech.superb.round import needed_states
from mergekit_speech.superb.states import StateStore
from mergekit_speech.superb.training import train_probe
from mergekit_speech.superb.watching import Silent, Watcher
from mergekit_speech.sweeping.job import Job
from mergekit_speech.sweeping.merged_encoder import MergedEncoder
from mergekit_speech.sweeping.point import SweepPoint

SILENT = Silent()


@dataclass(frozen=True)
class Trial:
    """One probe of a sweep.

    Attributes:
        point: What is probed.
        encoder: How the report calls it.
        task: Name of the task.
        seed: Decides head and order of clips.
    """

    point: SweepPoint
    encoder: ProbedEncoder
    task: str
    seed: int

    def failed(self, fault: BaseException) -> Failure:
        """What to say of it when it did not come to an end."""
        why = str(fault) if isinstance(fault, MsmError) else f"{type(fault).__name__}: {fault}"
        return Failure(self.encoder.label, self.task, self.seed, why)


Outcome = tuple[Trial, ProbeResult | Failure]


class Runner(Protocol):
    """Where trials are done."""

    def run(self, trials: Sequence[Trial]) -> Iterator[Outcome]:
        """Does all of them, and gives each outcome as soon as it is known, in any order."""


class Prober:
    """Probes point after point with one encoder; hidden states of a point serve all of its tasks and seeds."""

    def __init__(self, job: Job, watcher: Watcher = SILENT) -> None:
        """Reads the tasks' data, and the base.

        Raises:
            MsmError: Data or encoders cannot be used.
        """
        self._job, self._watcher = job, watcher
        self._assignments = read_assignments(job.data, job.tasks, job.overrides)
        self._merged = MergedEncoder(job)
        self._label: str | None = None
        self._store: StateStore | None = None
        self._heard: set[int] = set()

    def probe(self, trial: Trial) -> ProbeResult:
        """Does one trial.

        Raises:
            MsmError: It cannot be done; the message says which and why.
        """
        place = [each.task.name for each in self._assignments].index(trial.task)
        assignment, store = self._assignments[place], self._become(trial)
        self._hear(store, trial.encoder.label, place)
        observers = self._watcher.probing(trial.encoder.label, trial.task, trial.seed, assignment.goal)
        return train_probe(assignment, trial.encoder, store, trial.seed, observers)

    def _hear(self, store: StateStore, label: str, place: int) -> None:
        """Computes hidden states for a task, and for those behind it, as far as the budget goes."""
        if place in self._heard:
            return
        pairs = [needed_states(each) for each in self._assignments[place:]]
        frames, means = ([clip for pair in pairs for clip in pair[kind]] for kind in (0, 1))
        if missing := store.missing(frames, means):
            self._watcher.encoding(label, missing)
        store.prepare(frames, means, self._watcher.encoded)
        if crowded := store.missing(pairs[0][0]):
            self._watcher.crowded(label, self._assignments[place].task.name, crowded)
        self._heard.add(place)

    def _become(self, trial: Trial) -> StateStore:
        if self._store is None or self._label != trial.point.label:
            # The store of another point must be gone before its encoder changes.
            self._store, self._label, self._heard = None, None, set()
            self._merged.become(trial.point)
            store = StateStore(self._merged.encoder, trial.encoder.label, self._job.cache, PartialState().device)
            self._store, self._label = store, trial.point.label
        return self._store


class InProcess:
    """Does trials here, one after another."""

    def __init__(self, open_prober: Callable[[], Prober]) -> None:
        """Takes what makes a prober; it is called when there is a trial to do."""
        self._open = open_prober
        self._prober: Prober | None = None

    def run(self, trials: Sequence[Trial]) -> Iterator[Outcome]:
        """See `Runner.run`."""
        for trial in trials:
            self._prober = self._prober or self._open()
            try:
                yield trial, self._prober.probe(trial)
            except (Interrupted, OutputError):
                raise
            # Tasks may be anybody's: whatever one of them does, the others' results are not lost.
            except Exception as fault:
                yield trial, trial.failed(fault)
