"""What the experiment's figures say of the paper's claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy.stats import ttest_1samp

from benchmarks.speech_ft.claims import CLAIMS, HOLDS, OPPOSITE, UNSEEN, UNTESTED, Claim, find, judge, read_scores
from benchmarks.speech_ft.encoders import contenders, curve, multitask, slower
from benchmarks.speech_ft.matrix import TASKS
from benchmarks.speech_ft.page import TITLES, render

CLAIM = Claim("a beats b", "a", "b", ("pr", "sid"))


@pytest.mark.parametrize(
    ("better", "verdict"), [([30.0, 31.0, 32.0], HOLDS), ([10.0, 9.0, 8.0], OPPOSITE), ([10.0, 30.0, 20.0], UNSEEN)]
)
def test_a_claim_is_judged_by_its_paired_differences(better: list[float], verdict: str) -> None:
    scores = {"pr": {"a": better, "b": [20.0, 20.0, 20.0]}, "sid": {"a": better, "b": [20.0, 20.5, 20.0]}}
    found = find(CLAIM, scores)
    assert len(found.differences) == 6
    assert judge([found]) == [verdict]


def test_interval_and_p_are_those_of_students_t() -> None:
    found = find(CLAIM, {"pr": {"a": [3.0, 5.0, 10.0], "b": [1.0, 1.0, 1.0]}})
    expected = ttest_1samp([2.0, 4.0, 9.0], 0)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)


def test_many_claims_need_stronger_evidence_each() -> None:
    found = find(CLAIM, {"pr": {"a": [3.0, 4.0, 5.0], "b": [1.0, 1.0, 1.0]}})
    assert found.p is not None
    assert 0.025 < found.p < 0.05
    assert judge([found]) == [HOLDS]
    assert judge([found, found]) == [UNSEEN, UNSEEN]


def test_what_was_not_run_is_not_judged() -> None:
    assert judge([find(CLAIM, {}), find(CLAIM, {"pr": {"a": [1.0]}})]) == [UNTESTED, UNTESTED]


def test_claims_name_encoders_and_comparisons_that_there_are() -> None:
    labels = {each.label for task in TASKS for each in contenders(task)} | {each.label for each in multitask()}
    for claim in CLAIMS:
        assert {claim.better, claim.worse} <= labels
        assert set(claim.among) <= TITLES.keys()


def test_labels_may_stand_before_the_sign_of_equality() -> None:
    every = [*contenders("pr"), *multitask(), *curve("pr"), *slower()]
    assert not [each.label for each in every if "=" in each.label]


def test_the_page_says_what_is_not_measured(tmp_path: Path) -> None:
    assert render(tmp_path).count("Not measured.") == len(TITLES) + 3
    folder = tmp_path / "pr"
    folder.mkdir()
    (folder / "table.md").write_text("| a table |\n")
    origin = {"commit": "abc", "machine": {"cpu": "a cpu", "cores": 2}, "core_hours": {"fine-tuning": 1.5}}
    origins = [{"seeds": [0, 1], **origin}, {"seeds": [2], **origin, "commit": "def"}]
    (folder / "origin.json").write_text(json.dumps(origins))
    rows = [
        {"encoder": "pre-trained", "values": [2.0, 2.0]},
        {"encoder": "Stable-FT", "values": [1.0, 1.0]},
        {"encoder": "Speech-FT", "values": [5.0, 6.0]},
    ]
    (folder / "results.json").write_text(json.dumps({"score": {"figures": rows}}))
    assert read_scores(tmp_path) == {"pr": {row["encoder"]: row["values"] for row in rows}}
    page = render(tmp_path)
    assert "| a table |" in page
    hours = "a cpu, 2 cores; core-hours so far: 1.5 of fine-tuning."
    assert f"Seeds 0, 1: commit abc; {hours}\n\nSeed 2: commit def; {hours}\n\n[The report]" in page
    assert "| Speech-FT generalizes better than Stable-FT alone (α = 1) | +4 (" in page
    assert "| Stable-FT | 1 | -1 (-1 to -1) |" in page
    assert "| Speech-FT | 6 | +4 (-3 to +10) |" in page


def test_the_page_sets_similarity_against_deviation(tmp_path: Path) -> None:
    figures = [("Stable-FT", 0.2, 0.5), ("Stable-FT", 0.4, 0.3), ("Speech-FT", 0.05, 0.9)]
    rows = [
        {"encoder": label, "deviation": deviation, "r2": r2, "last_r2": r2, "cka": 1.0, "cosine": 0.5}
        for label, deviation, r2 in figures
    ]
    (tmp_path / "similarity.json").write_text(json.dumps({"heard": "clips", "clips": 4, "rows": rows}))
    page = render(tmp_path)
    assert "| Stable-FT | 2 | 0.300 | 0.400 | 0.400 | 1.000 | 0.500 |" in page
    assert "over all 3 encoders: -1.00" in page
