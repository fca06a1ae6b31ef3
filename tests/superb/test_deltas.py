"""Means, differences and scores, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mergekit_speech.superb.deltas import Spread, compare, compare_scores, document, scored_tasks
from mergekit_speech.superb.results import BenchReport
from tests.superb.corpus import report

# Differences by seed: PER -0.02, -0.06 and -0.01; accuracy 0.1, 0.0 and -0.1.
BASE = {"pr": {"per": [0.20, 0.30, 0.25]}, "ks": {"acc": [0.5, 0.6, 0.7]}}
TUNED = {"pr": {"per": [0.18, 0.24, 0.24]}, "ks": {"acc": [0.6, 0.6, 0.6]}}


@pytest.fixture
def three_seeds() -> BenchReport:
    return report({"base": BASE, "tuned": TUNED}, "speech-ft")


def near(spread: Spread | None, mean: float, deviation: float, seeds: int) -> bool:
    found = spread and (spread.mean, spread.deviation)
    return found == pytest.approx((mean, deviation)) and spread is not None and spread.seeds == seeds


def test_spread_is_the_sample_deviation() -> None:
    assert near(Spread.of([1.0, 2.0, 4.0]), 7 / 3, (7 / 3) ** 0.5, 3)


def test_one_seed_has_no_spread() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 1)


def test_figures_by_hand(three_seeds: BenchReport) -> None:
    per, acc = compare(three_seeds)
    assert [(column.task, column.metric, column.lower_is_better) for column in (per, acc)] == [
        ("pr", "per", True),
        ("ks", "acc", False),
    ]
    base, tuned = per.rows
    assert (base.encoder, base.values, base.delta) == ("base", (0.20, 0.30, 0.25), None)
    assert near(base.figure, 0.25, 0.05, 3)
    # Mean -0.03; squares 0.0001 + 0.0009 + 0.0004 over two degrees of freedom.
    assert near(tuned.delta, -0.03, 0.0007**0.5, 3)


def test_differences_are_taken_seed_by_seed(three_seeds: BenchReport) -> None:
    tuned = compare(three_seeds)[1].rows[1]
    assert tuned.figure.deviation == pytest.approx(0)
    assert near(tuned.delta, 0, 0.1, 3)


def test_score_by_hand() -> None:
    figures = {"base": {"pr": {"per": [0.8201, 0.0238]}}, "tuned": {"pr": {"per": [0.42195, 0.0238]}}}
    score = compare_scores(report(figures, "speech-ft"))
    assert score is not None
    assert score.rows[0].values == pytest.approx((0, 1000))
    assert score.rows[1].values == pytest.approx((500, 1000))
    assert near(score.rows[1].delta, 250, 500 / 2**0.5, 2)


def test_score_leaves_out_metrics_that_do_not_count() -> None:
    one = compare_scores(report({"base": {"er": {"acc": [0.7068], "uar": [0.1]}}}, "speech-ft"))
    assert one is not None
    assert one.rows[0].values == pytest.approx((1000,))


def test_score_follows_the_references() -> None:
    figures = {"base": {"ks": {"acc": [0.9666]}}}
    site, paper = (compare_scores(report(figures, name)) for name in ("superb-site", "speech-ft"))
    assert site is not None
    assert paper is not None
    assert site.rows[0].values == pytest.approx((1000,))
    assert paper.rows[0].values[0] < 1000


def test_tasks_beyond_superb_have_no_score(three_seeds: BenchReport) -> None:
    renamed = replace(three_seeds.tasks[0], name="stress")
    beyond = replace(three_seeds, tasks=(renamed,))
    assert scored_tasks(beyond) == []
    assert compare_scores(beyond) is None


def test_document_is_plain_and_complete(three_seeds: BenchReport) -> None:
    found = json.loads(json.dumps(document(three_seeds)))
    assert found["deltas_refer_to"] == "base"
    assert [row["digest"] for row in found["encoders"]] == ["blake3:base", "blake3:tuned"]
    assert len(found["probes"]) == 12
    assert all(row.keys() >= {"seed", "settings", "n", "best_step", "valid", "seconds"} for row in found["probes"])
    assert found["figures"][1] == {
        "task": "pr",
        "metric": "per",
        "encoder": "tuned",
        "values": [0.18, 0.24, 0.24],
        "figure": {"mean": pytest.approx(0.22), "deviation": pytest.approx(0.0012**0.5), "seeds": 3},
        "delta": {"mean": pytest.approx(-0.03), "deviation": pytest.approx(0.0007**0.5), "seeds": 3},
    }
    assert found["score"]["references"] == "speech-ft"
    assert found["score"]["tasks"] == ["pr", "ks"]
    assert "answers" not in json.dumps(found)
