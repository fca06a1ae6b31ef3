"""Several benches on the same data as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.superb.results import BenchReport, Failure, ProbedEncoder, ProbedTask, ProbeResult
from mergekit_speech.superb.rows_file import read_rows
from mergekit_speech.superb.settings import ProbeSettings
from mergekit_speech.tasks.parts.task import Metric


def read_report(document: Mapping[str, Any], rows: Path) -> BenchReport:
    """Takes back what `document.document` gave.

    Args:
        document: Of kind `bench`.
        rows: The file of test rows that belongs to it; it need not exist if the document names no rows.

    Raises:
        DataError: The document lacks something, or the file is damaged.
    """
    try:
        kept = read_rows(rows, [probe["rows"] for probe in document["probes"]])
        probes = [
            replace(ProbeResult.read({**probe, "rows": {}}, probe["encoder"]), rows=own)
            for probe, own in zip(document["probes"], kept, strict=True)
        ]
        return BenchReport(
            encoders=tuple(ProbedEncoder(**encoder) for encoder in document["encoders"]),
            tasks=tuple(_read_task(task) for task in document["tasks"]),
            seeds=tuple(document["seeds"]),
            probes=tuple(probes),
            references=document["references"],
            data=Path(document["data"]),
            versions=document["versions"],
            failures=tuple(Failure(**failure) for failure in document["failures"]),
        )
    except (KeyError, TypeError) as fault:
        raise DataError(
            f"expected the results of a bench beside {rows}, came a document without {fault!s:.80}: bench again"
        ) from fault


def combine(reports: Sequence[BenchReport]) -> BenchReport:
    """Puts the encoders of several benches side by side; deltas refer to the first encoder of the first.

    An encoder with the same weights under the same label is one; another one under a label that is taken gets a number.
    A probe that two benches made, and a reference set or a version that they differ in, is that of the first.

    Raises:
        SettingsError: There are fewer than two.
        DataError: A task was probed on other data, in another way or by another engine.
    """
    if len(reports) < 2:
        raise SettingsError(f"expected at least two reports to compare, came {len(reports)}: name another one")
    tasks: dict[str, ProbedTask] = {}
    engines: dict[str, str] = {}
    encoders: dict[str, ProbedEncoder] = {}
    probes: dict[tuple[str, str, int], ProbeResult] = {}
    failures: dict[Failure, None] = {}
    for report in reports:
        for task in report.tasks:
            _check_same(tasks.setdefault(task.name, task), task)
        labels = {encoder.label: _place(encoder, encoders) for encoder in report.encoders}
        for probe in report.probes:
            _check_engine(engines.setdefault(probe.task, probe.engine), probe)
            label = labels[probe.encoder]
            probes.setdefault((label, probe.task, probe.seed), replace(probe, encoder=label))
        failures |= {replace(failure, encoder=labels[failure.encoder]): None for failure in report.failures}
    missing = [failure for failure in failures if (failure.encoder, failure.task, failure.seed) not in probes]
    return replace(
        reports[0],
        encoders=tuple(encoders.values()),
        tasks=tuple(tasks.values()),
        seeds=tuple(sorted({seed for report in reports for seed in report.seeds})),
        probes=tuple(probes.values()),
        failures=tuple(missing),
    )


def _read_task(task: Mapping[str, Any]) -> ProbedTask:
    metrics = tuple(Metric(**metric) for metric in task["metrics"])
    settings = task["settings"] and ProbeSettings(**task["settings"])
    return ProbedTask(**{**task, "metrics": metrics, "settings": settings})


def _check_same(first: ProbedTask, other: ProbedTask) -> None:
    for name, what in (("manifest", "data"), ("settings", "settings"), ("metrics", "metrics")):
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise DataError(
                f"task {first.name!r}: expected the same {what} in all reports, came {one!r} and {two!r}: bench the"
                " encoders alike"
            )


def _check_engine(first: str, probe: ProbeResult) -> None:
    if probe.engine != first:
        raise DataError(
            f"task {probe.task!r}: expected probes of one engine in all reports, came {first!r} and {probe.engine!r}:"
            " bench the encoders alike"
        )


def _place(encoder: ProbedEncoder, taken: dict[str, ProbedEncoder]) -> str:
    """Finds or makes the encoder's place among those that there are, and returns its label there."""
    numbers = iter(range(2, len(taken) + 3))
    label = encoder.label
    while label in taken and taken[label].digest != encoder.digest:
        label = f"{encoder.label}-{next(numbers)}"
    taken.setdefault(label, replace(encoder, label=label))
    return label
