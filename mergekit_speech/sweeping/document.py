"""The content of a sweep's `results.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mergekit_speech.superb.columns import VERSION, Column
from mergekit_speech.superb.deltas import Compared, compare
from mergekit_speech.superb.leaks import leaks
from mergekit_speech.superb.measured import sum_up
from mergekit_speech.sweeping.point import SweepPoint
from mergekit_speech.sweeping.sweep import SweepReport


def document(report: SweepReport) -> dict[str, Any]:
    """Everything about a sweep as plain data, figures as fractions.

    Raises:
        DataError: Two probes of a task were tested on different items.
        SettingsError: A figure cannot be scored.
    """
    bench, compared = report.bench, compare(report.bench)
    known = dict(bench.versions)
    return {
        "kind": "sweep",
        "version": VERSION,
        "data": str(bench.data),
        "versions": known,
        "commit": known.get("commit"),
        "seeds": list(bench.seeds),
        "encoders": [asdict(encoder) for encoder in report.ends],
        "base": report.ends[0].label,
        "tuned": [encoder.label for encoder in report.ends[1:]],
        "references": bench.references,
        "tasks": [asdict(task) for task in bench.tasks],
        "points": [_point(report, compared, point) for point in report.points],
        "picked": report.picked and {**asdict(report.picked), "by": "valid"},
        "failures": [asdict(failure) for failure in bench.failures],
        "notes": leaks(bench),
    }


def _point(report: SweepReport, compared: Compared, point: SweepPoint) -> dict[str, Any]:
    settings = dict(point.settings)
    alpha = point.alpha
    if len(point.groups) == 1:
        # One group has a curve of its own.
        ((settings["group"], alpha),) = point.groups.items()
    elif point.groups:
        settings["groups"] = dict(point.groups)
    return {
        "label": point.label,
        "strategy": point.strategy,
        "settings": settings,
        "alpha": alpha,
        "end": point.end,
        "figures": [*_tested(compared.columns, point.label), *_validated(report, point.label)],
        "score": _score(compared.score, point.label),
    }


def _tested(columns: Sequence[Column], label: str) -> Iterator[Mapping[str, Any]]:
    for column in columns:
        for row in column.rows:
            if row.encoder == label and row.figure is not None:
                figures = {"values": row.values, "figure": asdict(row.figure), "delta": row.delta and asdict(row.delta)}
                yield {"task": column.task, "metric": column.metric, "split": "test", **figures}


def _validated(report: SweepReport, label: str) -> Iterator[Mapping[str, Any]]:
    for task in report.bench.tasks:
        probes = [probe for probe in report.bench.probes if (probe.encoder, probe.task) == (label, task.name)]
        for metric in task.metrics:
            values = np.array([probe.valid.get(metric.name, np.nan) for probe in probes])
            if len(values) and np.isfinite(values).all():
                figure = asdict(sum_up(values, float(values.mean()), None))
                figures = {"values": values.tolist(), "figure": figure, "delta": None}
                yield {"task": task.name, "metric": metric.name, "split": "valid", **figures}


def _score(column: Column | None, label: str) -> Mapping[str, Any] | None:
    row = next((row for row in column.rows if row.encoder == label), None) if column else None
    if row is None or row.figure is None:
        return None
    return {"figure": asdict(row.figure), "delta": row.delta and asdict(row.delta)}
