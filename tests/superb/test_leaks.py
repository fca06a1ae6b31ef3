"""Encoders that have learnt from the clips that judge them are told of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mergekit_speech.superb.leaks import leaks
from mergekit_speech.superb.results import BenchReport
from mergekit_speech.training.run_folder import RunFolder, write_json
from tests.superb.corpus import report

RECORD = {"task": "er", "data": {"path": "speech", "fold": 1}}


def made(origin: dict[str, Any] | None, folds: list[int] | None) -> BenchReport:
    """A report on one encoder of that origin, tested on these folds."""
    plain = report({"tuned": {"er": {"acc": [0.5], "uar": [0.5]}}}, "speech-ft")
    rows = {"truth": np.array(["a"])} if folds is None else {"fold": np.array(folds)}
    probes = tuple(replace(probe, rows=rows) for probe in plain.probes)
    return replace(plain, encoders=(replace(plain.encoders[0], origin=origin),), probes=probes)


def test_other_folds_than_the_one_left_out_are_told() -> None:
    assert leaks(made({"run": RECORD}, [1, 2, 2, 3])) == [
        "tuned: its figures on er flatter it: it was tuned with fold 1 left out, so folds 2, 3 held clips that it has"
        " learnt from; judge it by the fold that was left out"
    ]


def test_the_fold_left_out_is_fair() -> None:
    assert leaks(made({"run": RECORD}, [1, 1])) == []


def test_one_division_without_folds_is_fair() -> None:
    assert leaks(made({"run": {"task": "er", "data": {"path": "speech"}}}, [1, 2])) == []
    assert leaks(made({"run": RECORD}, None)) == []


def test_runs_on_other_tasks_do_not_count() -> None:
    assert leaks(made({"run": {**RECORD, "task": "sid"}}, [1, 2])) == []


def test_no_origin_tells_nothing() -> None:
    assert leaks(made(None, [1, 2])) == []


def test_a_merge_is_asked_for_the_runs_it_is_made_of(tmp_path: Path) -> None:
    write_json(RunFolder(tmp_path).record, RECORD)
    recipe = f"models:\n- model: {RunFolder(tmp_path).encoder}\n- model: elsewhere\n"
    (line,) = leaks(made({"recipe": recipe}, [1, 4]))
    assert "so fold 4 held clips" in line


def test_a_damaged_record_of_an_input_tells_nothing(tmp_path: Path) -> None:
    RunFolder(tmp_path).record.write_text("{")
    assert leaks(made({"recipe": f"models:\n- model: {tmp_path}\n"}, [1, 4])) == []
