"""Merges along grids, probed on tasks: every point × task × seed, here or on a cluster, and the best point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mergekit_speech.errors import CheckpointError, Interrupted, MsmError, SettingsError
from mergekit_speech.hub.fetch import resolve
from mergekit_speech.merging.fingerprint import check_base
from mergekit_speech.merging.merge import find_base
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.registry import suggestion
from mergekit_speech.superb.assignment import Assignment, read_assignments
from mergekit_speech.superb.bench import CACHE, SEEDS, SPEECH_FT, check_seeds, describe_encoder, describe_task
from mergekit_speech.superb.ledger import Ledger
from mergekit_speech.superb.named_encoder import read_encoders
from mergekit_speech.superb.results import NATIVE, BenchReport, Failure, ProbedEncoder, ProbeResult
from mergekit_speech.superb.round import probe_key
from mergekit_speech.superb.score import REFERENCES
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.superb.watching import Silent, Watcher
from mergekit_speech.sweeping.grid import Grid, lay_out
from mergekit_speech.sweeping.job import Job, check_runs
from mergekit_speech.sweeping.picking import Picked, Scores, pick, validation_scores
from mergekit_speech.sweeping.point import SweepPoint
from mergekit_speech.sweeping.soup import stir
from mergekit_speech.sweeping.trials import InProcess, Prober, Runner, Trial
from mergekit_speech.training.versions import versions

QUARTERS = (Grid((0.0, 0.25, 0.5, 0.75, 1.0)),)
BASE = "base"


@dataclass(frozen=True)
class SweepSettings:
    """How a sweep goes, beside what is merged and probed.

    Attributes:
        seeds: Each decides head and order of clips of one probe for every point and task.
        overrides: What probes do otherwise than SUPERB.
        references: Set of reference figures for the SUPERB score.
        greedy: Also make a greedy soup of the tuned encoders.
        extrapolate: Allow an α beyond 0 to 1.
        force: Merge also if an encoder was hardly tuned from the base.
        merge_seed: Of strategies that draw random numbers.
        cache: Bytes of hidden states that each process keeps on disk.
        workers: Processes on this machine; 1 does all in this process.
        dask: Address of the scheduler of an existing Dask cluster; None for none.
    """

    seeds: Sequence[int] = SEEDS
    overrides: Overrides = field(default_factory=Overrides)
    references: str = SPEECH_FT
    greedy: bool = False
    extrapolate: bool = False
    force: bool = False
    merge_seed: int = 0
    cache: int = CACHE
    workers: int = 1
    dask: str | None = None


@dataclass(frozen=True)
class SweepReport:
    """What a sweep found.

    Attributes:
        job: What was merged and probed.
        ends: The base, then the tuned encoders.
        points: All points; the base first, the tuned encoders next.
        bench: Their probes: its encoders are the points, by their labels.
        picked: The best point by validation; None if no point was probed on all tasks.
    """

    job: Job
    ends: tuple[ProbedEncoder, ...]
    points: tuple[SweepPoint, ...]
    bench: BenchReport
    picked: Picked | None


def run_sweep(
    base: Path | None,
    tuned: Sequence[Path],
    data: Path,
    tasks: Sequence[str],
    *,
    grids: Sequence[Grid] = QUARTERS,
    settings: SweepSettings | None = None,
    ledger: Ledger | None = None,
    watcher: Watcher | None = None,
) -> SweepReport:
    """Merges in memory and probes; the encoders stay as they are, and no file of weights is written.

    Encoders, data, grids and settings are all checked before anything is trained. What fails after that is in the
    report's `failures`, and the rest goes on; only where nothing succeeds, the first failure is raised.

    Args:
        base: The base; None for the one that the records of tuned runs name.
        tuned: Tuned encoders or runs; every merge is of all of them.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks.
        grids: What to merge.
        settings: How to go about it.
        ledger: Where finished probes are kept, and found again.
        watcher: Told how it goes.

    Raises:
        SettingsError: A setting is out of range or unknown, a grid is empty, or there are less GPUs than workers.
        StrategyError: A strategy, one of its settings or a task is unknown, out of range, or cannot be loaded.
        PairingError: Encoders do not hold the same parameters.
        CheckpointError: An encoder cannot be built, or was tuned from another base.
        ShardError: An encoder's weights are damaged.
        DataError: A task's data cannot be used.
        EngineError: The cluster does not answer, or is gone.
        OutputError: A finished probe cannot be kept.
        Interrupted: Ctrl-C; finished probes are in the ledger.
    """
    settings, watcher = settings or SweepSettings(), watcher or Silent()
    check_seeds(settings.seeds)
    if settings.references not in REFERENCES:
        raise SettingsError(
            f"expected a set of references among {', '.join(REFERENCES)}, came {settings.references!r}"
            f"{suggestion(settings.references, REFERENCES)}"
        )
    assignments = read_assignments(data, tasks, settings.overrides)
    ends, folders = _read_ends(base, tuned)
    job = Job(
        folders[0],
        tuple(folders[1:]),
        tuple(each.digest for each in ends),
        data.resolve(),
        tuple(tasks),
        settings.overrides,
        settings.extrapolate,
        settings.merge_seed,
        settings.cache,
        settings.force,
    )
    points = lay_out(grids, ends[0].label, [each.label for each in ends[1:]])
    _check(job, points, settings)
    with _open_runner(job, settings, watcher) as runner:
        session = _Session(job, ends, assignments, settings, ledger or Ledger(), watcher, runner)
        try:
            session.probe(points)
            if settings.greedy:
                stir([point for point in points if point.end == "tuned"], session.scores(), session.taste)
        except (Interrupted, KeyboardInterrupt) as stop:
            raise Interrupted(session.say_stopped()) from stop
    return session.report(data)


def default_workers() -> int:
    """One process, or one for each GPU of this machine."""
    import torch

    return max(1, torch.cuda.device_count())


def _read_ends(base: Path | None, tuned: Sequence[Path]) -> tuple[list[ProbedEncoder], list[Path]]:
    if not tuned:
        raise SettingsError("expected at least one tuned encoder, came none: name a run, or --base and --tuned")
    place = resolve(base) if base is not None else find_base(tuned, "linear")[0]
    named = read_encoders([f"{BASE}={place}", *(str(each) for each in tuned)])
    folders = []
    for each in named:
        if each.folder is None or not each.folder.is_dir():
            raise CheckpointError(
                f"expected the folder of an encoder, came {each.source!r}: msm convert makes one of a file"
            )
        folders.append(each.folder.resolve())
    ends = [describe_encoder(each) for each in named]
    check_runs(tuned, folders[0], ends[0].digest)
    return ends, folders


def _check(job: Job, points: Sequence[SweepPoint], settings: SweepSettings) -> None:
    if settings.greedy and len(job.tuned) < 2:
        raise SettingsError("expected several tuned encoders for a greedy soup, came one: name more with --tuned")
    for point in points:
        try:
            plan = make_plan(job.recipe(point))
            if point.end == "tuned" and not plan.recipe.force:
                check_base(plan)
        except MsmError as fault:
            raise type(fault)(f"{point.label}: {fault}") from fault


@contextmanager
def _open_runner(job: Job, settings: SweepSettings, watcher: Watcher) -> Iterator[Runner]:
    if settings.dask is None and settings.workers == 1:
        yield InProcess(lambda: Prober(job, watcher))
        return
    # Its import takes a second.
    from mergekit_speech.sweeping.cluster import OnCluster, existing_cluster, local_cluster

    opened = local_cluster(settings.workers) if settings.dask is None else existing_cluster(settings.dask)
    with opened as client:
        yield OnCluster(client, job)


class _Session:
    """The points so far, with what their trials came to."""

    def __init__(
        self,
        job: Job,
        ends: Sequence[ProbedEncoder],
        assignments: Sequence[Assignment],
        settings: SweepSettings,
        ledger: Ledger,
        watcher: Watcher,
        runner: Runner,
    ) -> None:
        self._job, self._ends, self._settings = job, ends, settings
        self._assignments = {each.task.name: each for each in assignments}
        self._ledger, self._watcher, self._runner = ledger, watcher, runner
        self._tasks = tuple(describe_task(each) for each in assignments)
        self._points: dict[str, SweepPoint] = {}
        self._encoders: dict[str, ProbedEncoder] = {}
        self._done: list[ProbeResult] = []
        self._failures: list[Failure] = []

    def probe(self, points: Sequence[SweepPoint]) -> None:
        """Does the trials of further points, those that the ledger does not hold."""
        trials = [trial for point in points for trial in self._trials(point)]
        pending = []
        for trial in trials:
            known = self._ledger.find(self._key(trial), trial.encoder.label)
            if known is None:
                pending.append(trial)
            else:
                self._note(known, resumed=True)
        for trial, outcome in self._runner.run(pending):
            if isinstance(outcome, Failure):
                self._failures.append(outcome)
                self._watcher.failed(outcome)
            else:
                self._ledger.add(self._key(trial), outcome)
                self._note(outcome, resumed=False)

    def taste(self, point: SweepPoint) -> Scores:
        """Probes one more point; see `soup.Try`."""
        self.probe([point])
        return self.scores()

    def scores(self) -> Scores:
        """See `validation_scores`."""
        return validation_scores(self._done, self._tasks, self._settings.references)

    def report(self, data: Path) -> SweepReport:
        """All of it, in the order of points, tasks and seeds."""
        if self._failures and not self._done:
            raise MsmError(f"no trial came to an end; the first one: {self._failures[0].message}")
        labels, tasks = list(self._points), list(self._assignments)
        done = sorted(self._done, key=lambda p: (labels.index(p.encoder), tasks.index(p.task), p.seed))
        bench = BenchReport(
            tuple(self._encoders.values()),
            self._tasks,
            tuple(self._settings.seeds),
            tuple(done),
            self._settings.references,
            data,
            versions(),
            tuple(self._failures),
        )
        picked = pick(self.scores(), labels)
        return SweepReport(self._job, tuple(self._ends), tuple(self._points.values()), bench, picked)

    def say_stopped(self) -> str:
        """What an interruption says."""
        path = self._ledger.path
        kept = f"; what is done is in {path}, --resume continues" if path and self._done else ""
        return f"stopped after {len(self._done)} of {self._total} trials{kept}"

    @property
    def _total(self) -> int:
        return len(self._points) * len(self._assignments) * len(self._settings.seeds)

    def _trials(self, point: SweepPoint) -> list[Trial]:
        encoder = self._describe(point)
        self._points[point.label], self._encoders[point.label] = point, encoder
        return [Trial(point, encoder, task, seed) for task in self._assignments for seed in self._settings.seeds]

    def _describe(self, point: SweepPoint) -> ProbedEncoder:
        if point.end is not None:
            return next(each for each in self._ends if each.label == point.label)
        return replace(
            self._ends[0], label=point.label, source=point.label, digest=self._job.digest(point), origin=None
        )

    def _key(self, trial: Trial) -> Mapping[str, object]:
        return probe_key(NATIVE, self._assignments[trial.task], trial.encoder, trial.seed)

    def _note(self, result: ProbeResult, *, resumed: bool) -> None:
        self._done.append(result)
        self._watcher.probed(result, len(self._done), self._total, resumed=resumed)
