"""Figures that flatter: an encoder was tuned on one division of a task's clips, and is judged by another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mergekit_speech.errors import CheckpointError
from mergekit_speech.superb.results import BenchReport
from mergekit_speech.tasks.parts.rows import FOLD
from mergekit_speech.training.run_folder import RunFolder, read_json


def leaks(report: BenchReport) -> list[str]:
    """A line for each encoder and task where test clips of some folds were training clips of the encoder's own run.

    A run of `msm finetune` that leaves out one fold has learnt from the others. It is found by the encoder's origin:
    its run's record, or those of the runs that its recipe merges, where they still lie.
    """
    lines = []
    for encoder in report.encoders:
        for task, own in sorted(_tuned_folds(encoder.origin)):
            others = [fold for fold in _tested_folds(report, encoder.label, task) if fold != own]
            if others:
                lines.append(
                    f"{encoder.label}: its figures on {task} flatter it: it was tuned with fold {own} left out, so"
                    f" {'fold' if len(others) == 1 else 'folds'} {', '.join(map(str, others))} held clips that it has"
                    " learnt from; judge it by the fold that was left out"
                )
    return lines


def _tested_folds(report: BenchReport, encoder: str, task: str) -> list[int]:
    probes = [probe.rows for probe in report.probes if (probe.encoder, probe.task) == (encoder, task)]
    return sorted({int(fold) for rows in probes if FOLD in rows for fold in np.unique(rows[FOLD])})


def _tuned_folds(origin: Mapping[str, Any] | None) -> set[tuple[str, int]]:
    return {
        (record["task"], record["data"]["fold"])
        for record in _records(origin or {})
        if isinstance(record.get("data"), dict) and FOLD in record["data"] and "task" in record
    }


def _records(origin: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "run" in origin:
        yield origin["run"]
    if "recipe" in origin:
        import yaml

        for text in _texts(yaml.safe_load(origin["recipe"])):
            for folder in (Path(text), Path(text).parent):
                record = RunFolder(folder).record
                if record.is_file():
                    yield _read(record)


def _read(record: Path) -> Mapping[str, Any]:
    try:
        return read_json(record)
    except CheckpointError:
        # A damaged record of an input says nothing; it is no fault of the encoder that is judged.
        return {}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
