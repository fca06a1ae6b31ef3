"""Probes frozen encoders on tasks: every encoder × task × seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState

from mergekit_speech.errors import Interrupted, SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.assignment import Assignment, read_assignments
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.named_encoder import NamedEncoder, read_encoders
from mergekit_speech.superb.probe import mean_suffices
from mergekit_speech.superb.results import BenchReport, ProbedEncoder, ProbedTask, ProbeResult
from mergekit_speech.superb.score import REFERENCES
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.states import StateStore
from mergekit_speech.superb.training import train_probe
from mergekit_speech.superb.watching import Silent, Watcher
from mergekit_speech.training.versions import versions

SEEDS = (0, 1, 2)
CACHE = 4 << 30
SPEECH_FT = "speech-ft"
AS_SUPERB = Overrides()
SILENT = Silent()


@dataclass(frozen=True)
class _Session:
    assignments: Sequence[Assignment]
    seeds: Sequence[int]
    cache: int
    ledger: Ledger
    watcher: Watcher
    total: int
    done: list[ProbeResult]


def run_bench(
    encoders: Sequence[str | Path],
    data: Path,
    tasks: Sequence[str],
    *,
    seeds: Sequence[int] = SEEDS,
    overrides: Overrides = AS_SUPERB,
    references: str = SPEECH_FT,
    cache: int = CACHE,
    ledger: Ledger | None = None,
    watcher: Watcher = SILENT,
) -> BenchReport:
    """Trains and tests a head for every encoder, task and seed; the encoders stay as they are.

    Data, encoders and settings are all checked before anything is trained.

    Args:
        encoders: See `named_encoder.read_encoders`; the first is the one that deltas refer to.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks.
        seeds: Each decides head and order of clips of one probe for every encoder and task.
        overrides: What to do otherwise than SUPERB.
        references: Set of reference figures for the SUPERB score.
        cache: Bytes of hidden states to keep in memory.
        ledger: Where finished probes are kept, and found again.
        watcher: Told how it goes.

    Raises:
        SettingsError: A setting is out of range or unknown.
        StrategyError: A task is unknown or cannot be loaded.
        DataError: A task's data cannot be used; the message names the task.
        CheckpointError: An encoder cannot be built, or gives values that are not finite.
        ShardError: An encoder's weights are damaged.
        OutputError: A finished probe cannot be kept.
        Interrupted: Ctrl-C; finished probes are in the ledger.
    """
    _check_seeds(seeds)
    if references not in REFERENCES:
        raise SettingsError(
            f"expected a set of references among {', '.join(REFERENCES)}, came {references!r}"
            f"{suggestion(references, REFERENCES)}"
        )
    assignments = read_assignments(data, tasks, overrides)
    named = read_encoders(encoders)
    probed = [_describe(encoder) for encoder in named]
    total = len(named) * len(assignments) * len(seeds)
    session = _Session(assignments, seeds, cache, ledger or Ledger(), watcher, total, [])
    try:
        for encoder, known in zip(named, probed, strict=True):
            _probe_encoder(session, encoder, known)
    except (Interrupted, KeyboardInterrupt) as stop:
        raise Interrupted(_say_stopped(session)) from stop
    facts = tuple(_describe_task(assignment) for assignment in assignments)
    return BenchReport(tuple(probed), facts, tuple(seeds), tuple(session.done), references, data, versions())


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise SettingsError("expected at least one seed, came none: give one for each probe of a task")
    for seed, count in Counter(seeds).items():
        if seed < 0 or count > 1:
            raise SettingsError(f"expected different seeds of at least 0, came {list(seeds)!r}: correct {seed!r}")


def _describe(named: NamedEncoder) -> ProbedEncoder:
    # Built only to be looked at: what cannot be built must be known before hours of training.
    encoder = named.load()
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    return ProbedEncoder(named.label, named.source, named.digest(encoder), encoder.depth, encoder.dim, weights)


def _describe_task(assignment: Assignment) -> ProbedTask:
    task, first = assignment.task, assignment.folds[0].splits
    clips = {"train": len(first.train), "valid": len(first.valid), "test": assignment.tested}
    return ProbedTask(task.name, task.title, task.metrics, assignment.settings, clips, assignment.manifest)


def _probe_encoder(session: _Session, named: NamedEncoder, encoder: ProbedEncoder) -> None:
    store: StateStore | None = None
    for number, assignment in enumerate(session.assignments):
        keys = {seed: _key(assignment, encoder, seed) for seed in session.seeds}
        known = {seed: session.ledger.find(key, encoder.label) for seed, key in keys.items()}
        for result in filter(None, known.values()):
            _note(session, result, resumed=True)
        pending = [seed for seed, result in known.items() if result is None]
        if pending:
            store = store or StateStore(named.load(), encoder.label, session.cache, PartialState().device)
            _hear(session, store, encoder, number)
            for seed in pending:
                observers = session.watcher.probing(encoder.label, assignment.task.name, seed, assignment.goal)
                result = train_probe(assignment, encoder, store, seed, observers)
                session.ledger.add(keys[seed], result)
                _note(session, result, resumed=False)


def _note(session: _Session, result: ProbeResult, *, resumed: bool) -> None:
    session.done.append(result)
    session.watcher.probed(result, len(session.done), session.total, resumed=resumed)


def _hear(session: _Session, store: StateStore, encoder: ProbedEncoder, number: int) -> None:
    """Computes hidden states for the task of that number, and for those after it as far as memory goes."""
    here, frames, means = session.assignments[number], list[Clip](), list[Clip]()
    for assignment in session.assignments[number:]:
        (means if mean_suffices(assignment.task) else frames).extend(assignment.clips)
    if missing := store.missing(frames, means):
        session.watcher.encoding(encoder.label, missing)
    store.prepare(frames, means, session.watcher.encoded)
    crowded = 0 if mean_suffices(here.task) else store.missing(here.clips)
    if crowded:
        session.watcher.crowded(encoder.label, here.task.name, crowded)


def _key(assignment: Assignment, encoder: ProbedEncoder, seed: int) -> Mapping[str, Any]:
    return {
        "encoder": encoder.digest,
        "task": assignment.task.name,
        "manifest": assignment.manifest,
        "settings": assignment.settings and asdict(assignment.settings),
        "seed": seed,
    }


def _say_stopped(session: _Session) -> str:
    path = session.ledger.path
    kept = f"; what is done is in {path}, --resume continues" if path and session.done else ""
    return f"stopped after {len(session.done)} of {session.total} probes{kept}"
