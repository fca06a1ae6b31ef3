"""All ten built-in tasks count for the SUPERB score, by the figures that their own test rows give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.registry import TASKS
from mergekit_speech.superb.document import document
from mergekit_speech.superb.results import BenchReport, ProbedEncoder, ProbedTask
from mergekit_speech.superb.score import REFERENCES, SCORED, task_points
from mergekit_speech.tasks.parts.rows import Rows
from mergekit_speech.tasks.parts.slot_filling import slot_errors
from mergekit_speech.tasks.parts.task import Task
from tests.superb.corpus import SETTINGS, result

ITEMS = 8


def columns(**own: object) -> Rows:
    """Columns of eight items; a number stands for eight of it."""
    return {name: np.resize(np.array(values), ITEMS) for name, values in own.items()}


def rows_by_task() -> Mapping[str, Rows]:
    """What each task measures of eight test items."""
    spoken = slot_errors(["B-city", "r", "o", "n", "E-city"], ["B-city", "r", "o", "m", "e", "E-city"])
    return {
        "pr": columns(errors=2, symbols=10),
        "asr": columns(word_errors=1, words=10, character_errors=2, characters=50),
        "ks": columns(truth=["yes", "no"], answer="yes"),
        "qbe": {
            "scores": np.tile(np.array([2.0, 1.0, 0.0, -1.0]), (ITEMS, 1)),
            "hits": np.tile(np.array([True, False, False, False]), (ITEMS, 1)),
            "precision": np.ones(ITEMS),
        },
        "sid": columns(truth=["anna", "bo"], answer="anna"),
        "asv": columns(score=[0.9, 0.2, 0.1, 0.4], target=[1, 1, 0, 0], group=[0, 0, 1, 1]),
        "sd": columns(missed=1.0, false_alarm=0.5, confusion=0.5, speech=20.0, meeting=False),
        "ic": columns(whole=[1, 0], clips=1, right=[3, 2], slots=3),
        "sf": {name: np.full(ITEMS, value) for name, value in spoken.items()},
        "er": columns(truth=["happy", "sad"], answer="sad"),
    }


@pytest.fixture(scope="module")
def report() -> BenchReport:
    """A bench of two encoders that answer alike, on all ten tasks."""
    rows, labels = rows_by_task(), ("base", "merged")
    tasks: list[Task] = [TASKS.load(name) for name in SCORED]
    probes = [
        replace(result(label, task.name, seed, **task.figures(rows[task.name])), rows=rows[task.name])
        for label in labels
        for task in tasks
        for seed in (0, 1)
    ]
    return BenchReport(
        tuple(ProbedEncoder(label, label, f"blake3:{label}", 3, 32, 1000) for label in labels),
        tuple(ProbedTask(task.name, task.title, task.metrics, SETTINGS, {"test": ITEMS}, "sha256:0") for task in tasks),
        (0, 1),
        tuple(probes),
        "speech-ft",
        Path("speech"),
        {},
    )


def test_the_score_of_a_bench_counts_every_task(report: BenchReport) -> None:
    score = document(report)[0]["score"]
    assert score["tasks"] == list(SCORED)
    for row in score["figures"]:
        assert row["tasks"].keys() == SCORED.keys()
        assert row["figure"]["mean"] == pytest.approx(np.mean(list(row["tasks"].values())))


def test_slot_filling_counts_by_type_and_by_value(report: BenchReport) -> None:
    # The slot is found; of four characters of its value, "ron" for "rome", two are wrong.
    figures = {"slot_type_f1": 1.0, "slot_value_cer": 0.5}
    (base, _) = document(report)[0]["score"]["figures"]
    assert base["tasks"]["sf"] == pytest.approx(task_points("sf", figures, "speech-ft"))


@pytest.mark.parametrize("references", sorted(REFERENCES))
def test_references_name_metrics_as_tasks_do(references: str) -> None:
    for name, anchors in REFERENCES[references].items():
        stated = {metric.name: metric.lower_is_better for metric in TASKS.load(name).metrics}
        assert {metric: anchor.top < anchor.floor for metric, anchor in anchors.items()}.items() <= stated.items()
