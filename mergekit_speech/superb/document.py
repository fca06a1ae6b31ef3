"""The content of a bench's `results.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mergekit_speech.superb.deltas import DRAWS, SEED, Compared, compare
from mergekit_speech.superb.rows_file import pack_rows
from mergekit_speech.superb.uncertainty import LEVEL

if TYPE_CHECKING:
    from mergekit_speech.superb.results import BenchReport
    from mergekit_speech.superb.rows_file import Columns

VERSION = 2


def document(report: BenchReport) -> tuple[dict[str, Any], Columns]:
    """Everything about a bench as plain data, figures as fractions; and the test rows, which it names.

    Raises:
        DataError: Two probes of a task were tested on different items.
        SettingsError: A figure cannot be scored.
    """
    compared = compare(report)
    names, columns = pack_rows(probe.rows for probe in report.probes)
    content = {
        "kind": "bench",
        "version": VERSION,
        "data": str(report.data),
        "versions": dict(report.versions),
        "seeds": list(report.seeds),
        "encoders": [asdict(encoder) for encoder in report.encoders],
        "deltas_refer_to": report.encoders[0].label,
        "tasks": [asdict(task) for task in report.tasks],
        "probes": [{**probe.document(), "rows": own or None} for probe, own in zip(report.probes, names, strict=True)],
        "failures": [asdict(failure) for failure in report.failures],
        "figures": [
            {"task": column.task, "metric": column.metric, **asdict(row)}
            for column in compared.columns
            for row in column.rows
        ],
        "score": _describe_score(compared, report.references),
        "statistics": {
            "draws": DRAWS,
            "seed": SEED,
            "level": LEVEL,
            "correction": "holm",
            "tested": compared.tested,
        },
    }
    return content, columns


def _describe_score(compared: Compared, references: str) -> dict[str, Any] | None:
    if compared.score is None:
        return None
    return {
        "references": references,
        "tasks": list(compared.scored),
        "figures": [
            {**asdict(row), "tasks": {task: points[row.encoder] for task, points in compared.scored.items()}}
            for row in compared.score.rows
        ],
    }
