"""All probes of one encoder: its hidden states, its tasks one after the other, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState

from mergekit_speech.errors import DataError, Interrupted, MsmError, OutputError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.superb.head_events import head_events
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.named_encoder import NamedEncoder
from mergekit_speech.superb.probe import is_cropped, mean_suffices
from mergekit_speech.superb.results import Failure, ProbedEncoder, ProbeResult, Trial
from mergekit_speech.superb.s3prl_engine.engine import S3prlEngine
from mergekit_speech.superb.states import StateFormat, StateStore, name_states
from mergekit_speech.superb.training import TriedProbe, train_probe, try_probe
from mergekit_speech.superb.tuning import choose_rate, mean_figures
from mergekit_speech.superb.watching import Watcher
from mergekit_speech.training.events import Observer


@dataclass(frozen=True)
class Session:
    """What the rounds of all encoders have in common.

    Attributes:
        assignments: Tasks, in their order.
        seeds: One probe each, for every encoder and task.
        rates: Learning rates to choose from on validation clips; none leaves each task's own.
        folder: Where hidden states are kept.
        budget: Bytes that they may take.
        form: How they are kept.
        ledger: Where finished probes are kept, and found again.
        watcher: Told how it goes.
        engine: Name of what trains.
        elsewhere: What trains in another process; None where this one does.
        events: Folder for TensorBoard; None for no events.
        total: How many probes there are to be.
        done: Finished probes.
        failures: What did not come to an end.
        faults: Why, in the same order.
    """

    assignments: Sequence[Assignment]
    seeds: Sequence[int]
    rates: Sequence[float]
    folder: Path
    budget: int
    form: StateFormat
    ledger: Ledger
    watcher: Watcher
    engine: str
    elsewhere: S3prlEngine | None
    events: Path | None
    total: int
    done: list[ProbeResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def here(self, assignment: Assignment) -> bool:
        """Whether this process does it, and needs its hidden states."""
        return self.elsewhere is None or not assignment.task.trains


class Round:
    """One encoder's turn; see `run`."""

    def __init__(self, session: Session, named: NamedEncoder, encoder: ProbedEncoder) -> None:
        """Prepares it; the encoder is built when it is needed."""
        self._session, self._named, self._encoder = session, named, encoder
        self._store: StateStore | None = None
        self._heard = False

    def run(self) -> None:
        """Probes every task at every seed; what fails is noted, and the rest goes on.

        Raises:
            OutputError: A finished probe or its hidden states cannot be kept.
            Interrupted: Ctrl-C.
        """
        for number, assignment in enumerate(self._session.assignments):
            with self._surviving(assignment, None):
                self._task(number, assignment)

    def _task(self, number: int, assignment: Assignment) -> None:
        self._heard = False
        tuned, tried, heads = self._tuned(number, assignment)
        for seed in self._session.seeds:
            key = self._key(tuned, seed)
            known = self._session.ledger.find(key, self._encoder.label)
            if known is None:
                self._hear(number)
            with self._surviving(assignment, seed):
                test = heads[seed].test if seed in heads else partial(self._train, tuned, seed)
                result = replace(known or test(), tried=tried)
                if known is None:
                    self._session.ledger.add(key, result)
                self._session.done.append(result)
                done = len(self._session.done) + len(self._session.failures)
                self._session.watcher.probed(result, done, self._session.total, resumed=known is not None)

    def _tuned(
        self, number: int, assignment: Assignment
    ) -> tuple[Assignment, tuple[Trial, ...], Mapping[int, TriedProbe]]:
        """The task at the rate that is best on validation clips, all that were tried, and the best ones' heads by seed.

        Heads of an interrupted bench are gone, and those of other rates are not kept.
        """
        if not self._session.rates or assignment.settings is None:
            return assignment, (), {}
        trials, faults, best = list[Trial](), list[DataError](), dict[int, TriedProbe]()
        for rate in self._session.rates:
            other = replace(assignment, settings=replace(assignment.settings, learning_rate=rate))
            heads: dict[int, TriedProbe] = {}
            try:
                figures = [self._validate(number, other, seed, heads) for seed in self._session.seeds]
            except DataError as fault:
                # A rate at which the loss grows beyond all bounds is not chosen.
                faults.append(fault)
                continue
            trials.append(Trial(rate, mean_figures(figures)))
            if choose_rate(trials, assignment.goal) == rate:
                best = heads
        if not trials:
            raise faults[0]
        rate = choose_rate(trials, assignment.goal)
        return replace(assignment, settings=replace(assignment.settings, learning_rate=rate)), tuple(trials), best

    def _validate(
        self, number: int, assignment: Assignment, seed: int, heads: dict[int, TriedProbe]
    ) -> Mapping[str, float]:
        """Validation figures of a seed, whose head joins the others unless the ledger knows them."""
        key = {**self._key(assignment, seed), "tested": False}
        result = self._session.ledger.find(key, self._encoder.label)
        if result is None:
            self._hear(number)
            observers = self._observers(assignment, seed, tested=False)
            heads[seed] = try_probe(assignment, self._encoder, self._open(), seed, observers)
            result = heads[seed].result
            self._session.ledger.add(key, result)
        return result.valid

    def _train(self, assignment: Assignment, seed: int) -> ProbeResult:
        session, observers = self._session, self._observers(assignment, seed, tested=True)
        if session.elsewhere and not session.here(assignment):
            return session.elsewhere.probe(self._named, self._encoder, assignment, seed, observers)
        result = train_probe(assignment, self._encoder, self._open(), seed, observers)
        return replace(result, engine=session.engine)

    def _observers(self, assignment: Assignment, seed: int, *, tested: bool) -> list[Observer]:
        session, label = self._session, self._encoder.label
        return [
            *session.watcher.probing(label, assignment.task.name, seed, assignment.goal),
            *head_events(session.events, label, assignment, seed, tested=tested),
        ]

    def _open(self) -> StateStore:
        if self._store is None:
            session, device = self._session, PartialState().device
            self._store = StateStore(
                self._named.load(),
                self._encoder.label,
                session.budget,
                device,
                folder=session.folder,
                name=name_states(self._encoder.digest, device, session.form),
                form=session.form,
                damaged=session.watcher.damaged,
            )
        return self._store

    def _hear(self, number: int) -> None:
        """Computes hidden states of a task's clips, also as later tasks will want them, as far as the budget goes."""
        session, here = self._session, self._session.assignments[number]
        if self._heard or not session.here(here):
            return
        store, watcher = self._open(), session.watcher
        later = [needed_states(each) for each in session.assignments[number:] if session.here(each)]
        frames, means = ([clip for pair in later for clip in pair[kind]] for kind in (0, 1))
        now = {(clip.path, clip.gain) for clip in here.clips}
        own = [[clip for clip in clips if (clip.path, clip.gain) in now] for clips in (frames, means)]
        if missing := store.missing(*own):
            watcher.encoding(self._encoder.label, missing)
        store.prepare(frames, means, watcher.encoded, now=here.clips)
        if crowded := store.missing(needed_states(here)[0]):
            watcher.crowded(self._encoder.label, here.task.name, crowded)
        self._heard = True

    @contextmanager
    def _surviving(self, assignment: Assignment, seed: int | None) -> Iterator[None]:
        session, task = self._session, assignment.task.name
        try:
            yield
        except (Interrupted, OutputError):
            raise
        # Tasks may be anybody's: whatever one of them does, the others' results are not lost.
        except Exception as fault:
            why = str(fault) if isinstance(fault, MsmError) else f"{type(fault).__name__}: {fault}"
            session.faults.append(fault)
            session.failures.append(Failure(self._encoder.label, task, seed, why))
            session.watcher.failed(session.failures[-1])

    def _key(self, assignment: Assignment, seed: int) -> dict[str, Any]:
        key = probe_key(self._session.engine, assignment, self._encoder, seed)
        return key if self._session.form == "float32" else {**key, "states": self._session.form}


def probe_key(engine: str, assignment: Assignment, encoder: ProbedEncoder, seed: int) -> dict[str, Any]:
    """What the figures of a probe depend on, by which a ledger knows it again."""
    return {
        "engine": engine,
        "encoder": encoder.digest,
        "task": assignment.task.name,
        "manifest": assignment.manifest,
        "folds": [fold.splits.fold for fold in assignment.folds],
        "settings": assignment.settings and asdict(assignment.settings),
        "seed": seed,
    }


def needed_states(assignment: Assignment) -> tuple[list[Clip], list[Clip]]:
    """Clips of which a task reads all frames, and those of which the mean over frames suffices."""
    task, clips = assignment.task, assignment.clips
    if not mean_suffices(task):
        return clips, []
    learnt = [clip for fold in assignment.folds for clip in fold.splits.train]
    return [clip for clip in learnt if is_cropped(task, clip)], clips
