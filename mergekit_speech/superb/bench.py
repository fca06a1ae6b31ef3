"""Probes frozen encoders on tasks: every encoder × task × seed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mergekit_speech.errors import Interrupted, SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.superb.assignment import Assignment, read_assignments
from mergekit_speech.superb.engines import engine_versions, open_engine
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.named_encoder import NamedEncoder, read_encoders
from mergekit_speech.superb.origin import origin_of
from mergekit_speech.superb.results import NATIVE, BenchReport, ProbedEncoder, ProbedTask
from mergekit_speech.superb.round import Round, Session
from mergekit_speech.superb.score import REFERENCES
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.states import StateFormat
from mergekit_speech.superb.tuning import check_rates
from mergekit_speech.superb.watching import Silent, Watcher
from mergekit_speech.training.versions import versions

SEEDS = (0, 1, 2)
CACHE = 4 << 30
SPEECH_FT = "speech-ft"
AS_SUPERB = Overrides()
SILENT = Silent()


def run_bench(
    encoders: Sequence[str | Path],
    data: Path,
    tasks: Sequence[str],
    *,
    seeds: Sequence[int] = SEEDS,
    overrides: Overrides = AS_SUPERB,
    references: str = SPEECH_FT,
    cache: int = CACHE,
    store: Path | None = None,
    state_format: StateFormat = "float32",
    tune: Sequence[float] = (),
    ledger: Ledger | None = None,
    watcher: Watcher = SILENT,
    engine: str = NATIVE,
    events: Path | None = None,
) -> BenchReport:
    """Trains and tests a head for every encoder, task and seed; the encoders stay as they are.

    Data, encoders and settings are all checked before anything is trained. What fails after that is in the report's
    `failures`, and the rest goes on; only where nothing succeeds, the first failure is raised.

    Args:
        encoders: See `named_encoder.read_encoders`; the first is the one that deltas refer to.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks.
        seeds: Each decides head and order of clips of one probe for every encoder and task.
        overrides: What to do otherwise than SUPERB.
        references: Set of reference figures for the SUPERB score.
        cache: Bytes of hidden states to keep on disk; what does not fit is computed again each time.
        store: Where hidden states are kept for later benches too; by default a temporary folder, beside the ledger if
            that has a file.
        state_format: How hidden states are kept; float16 rounds them and takes half of the room.
        tune: Learning rates to choose from for each encoder and task, by the mean over seeds of the validation split's
            first metric; test clips are heard at the chosen one alone. None of them leaves each task's own.
        ledger: Where finished probes are kept, and found again.
        watcher: Told how it goes.
        engine: What trains probes, one of `engines.ENGINES`.
        events: Folder for TensorBoard's events of every head in training.

    Raises:
        SettingsError: A setting is out of range or unknown, or the engine is not installed.
        EngineError: The engine fails.
        StrategyError: A task is unknown or cannot be loaded.
        DataError: A task's data cannot be used; the message names the task.
        CheckpointError: An encoder cannot be built, or gives values that are not finite.
        ShardError: An encoder's weights are damaged.
        OutputError: A finished probe, or hidden states, cannot be kept.
        Interrupted: Ctrl-C; finished probes are in the ledger.
    """
    check_seeds(seeds)
    check_rates(tune, engine)
    if references not in REFERENCES:
        raise SettingsError(
            f"expected a set of references among {', '.join(REFERENCES)}, came {references!r}"
            f"{suggestion(references, REFERENCES)}"
        )
    assignments = read_assignments(data, tasks, overrides)
    named = read_encoders(encoders)
    probed = [describe_encoder(encoder) for encoder in named]
    total = len(named) * len(assignments) * len(seeds)
    ledger = ledger or Ledger()
    with (
        open_engine(engine, [assignment.task for assignment in assignments]) as elsewhere,
        _states_folder(store, ledger) as folder,
    ):
        session = Session(
            assignments, seeds, tune, folder, cache, state_format, ledger, watcher, engine, elsewhere, events, total
        )
        try:
            for encoder, known in zip(named, probed, strict=True):
                Round(session, encoder, known).run()
        except (Interrupted, KeyboardInterrupt) as stop:
            raise Interrupted(_say_stopped(session)) from stop
    if session.faults and not session.done:
        raise session.faults[0]
    facts = tuple(describe_task(assignment) for assignment in assignments)
    versioned = {**versions(), **engine_versions(engine)}
    return BenchReport(
        tuple(probed), facts, tuple(seeds), tuple(session.done), references, data, versioned, tuple(session.failures)
    )


@contextmanager
def _states_folder(store: Path | None, ledger: Ledger) -> Iterator[Path]:
    if store is not None:
        yield store
        return
    beside = ledger.path.parent if ledger.path else None
    if beside:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="msm-states-", dir=beside) as folder:
        yield Path(folder)


def check_seeds(seeds: Sequence[int]) -> None:
    """Checks the seeds of probes.

    Raises:
        SettingsError: There is none, one comes twice, or is below 0.
    """
    if not seeds:
        raise SettingsError("expected at least one seed, came none: give one for each probe of a task")
    for seed, count in Counter(seeds).items():
        if seed < 0 or count > 1:
            raise SettingsError(f"expected different seeds of at least 0, came {list(seeds)!r}: correct {seed!r}")


def describe_encoder(named: NamedEncoder) -> ProbedEncoder:
    """What a report says of an encoder.

    Raises:
        CheckpointError: It cannot be built.
        ShardError: Its weights are damaged.
    """
    # Built only to be looked at: what cannot be built must be known before hours of training.
    encoder = named.load()
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    return ProbedEncoder(
        named.label, named.source, named.digest(encoder), encoder.depth, encoder.dim, weights, origin_of(named.folder)
    )


def describe_task(assignment: Assignment) -> ProbedTask:
    """What a report says of a task."""
    task, first = assignment.task, assignment.folds[0].splits
    clips = {"train": len(first.train), "valid": len(first.valid), "test": assignment.tested}
    return ProbedTask(task.name, task.title, task.metrics, assignment.settings, clips, assignment.manifest)


def _say_stopped(session: Session) -> str:
    path = session.ledger.path
    kept = f"; what is done is in {path}, --resume continues" if path and session.done else ""
    return f"stopped after {len(session.done)} of {session.total} probes{kept}"
