"""Seeds that were done elsewhere, or before, stay in the results: new ones are put beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError
from mergekit_speech.reports.folder import RESULTS, ROWS, read_folder
from mergekit_speech.superb.combining import combine, read_report
from mergekit_speech.superb.results import BenchReport

ORIGIN = "origin.json"
Origin = Mapping[str, Any]
"""What some seeds of a comparison come from: `seeds`, `commit`, `machine` …"""


def join(report: BenchReport, folder: Path) -> BenchReport:
    """Put a report's seeds beside the other seeds of what a folder holds; there need be none.

    Args:
        report: A comparison of which some seeds were done.
        folder: The report of the same comparison that was there before.

    Raises:
        DataError: The seeds there are of another base, of other encoders, or were probed otherwise.
    """
    if not (folder / RESULTS).is_file():
        return report
    there = read_report(read_folder(folder), folder / ROWS)
    others = tuple(seed for seed in there.seeds if seed not in report.seeds)
    if not others:
        return report
    labels = [[encoder.label for encoder in each.encoders] for each in (there, report)]
    if there.encoders[0].digest != report.encoders[0].digest or labels[0] != labels[1]:
        raise DataError(f"{folder}: expected seeds {list(others)} of the same base and ways, came others: do all seeds")
    probes = tuple(probe for probe in there.probes if probe.seed in others)
    failures = tuple(failure for failure in there.failures if failure.seed in others)
    known = replace(there, seeds=others, probes=probes, failures=failures)
    # Runs differ by seed, so that an encoder has as many digests as seeds; its place is told by its label.
    joined = combine([known, replace(report, encoders=there.encoders)])
    return replace(joined, probes=tuple(sorted(joined.probes, key=lambda probe: probe.seed)), data=report.data)


def join_origins(new: Origin, there: Sequence[Origin]) -> list[Origin]:
    """Put where some seeds come from beside where the others do, the lowest seeds first."""
    left = [{**each, "seeds": [seed for seed in each["seeds"] if seed not in new["seeds"]]} for each in there]
    return sorted([new, *(each for each in left if each["seeds"])], key=lambda each: min(each["seeds"]))


def read_origins(folder: Path) -> list[Origin]:
    """Read where the seeds of a comparison come from; nothing of one that was not made."""
    path = folder / ORIGIN
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []
