"""Figures, differences and scores, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.superb import deltas
from mergekit_speech.superb.columns import Column, Comparison, Spread
from mergekit_speech.superb.results import BenchReport, Failure
from mergekit_speech.superb.score import superb_score
from tests.superb.benches import RATES, bench_of, probe, rows_of
from tests.superb.corpus import report

# Differences by seed: PER -0.02, -0.06 and -0.01; accuracy 0.1, 0.0 and -0.1.
BASE = {"pr": {"per": [0.20, 0.30, 0.25]}, "ks": {"acc": [0.5, 0.6, 0.7]}}
TUNED = {"pr": {"per": [0.18, 0.24, 0.24]}, "ks": {"acc": [0.6, 0.6, 0.6]}}


compare = partial(deltas.compare, draws=400)


@pytest.fixture
def three_seeds() -> BenchReport:
    return report({"base": BASE, "tuned": TUNED}, "speech-ft")


def near(spread: Spread | None, mean: float, deviation: float, seeds: int) -> bool:
    found = spread and (spread.mean, spread.deviation)
    return found == pytest.approx((mean, deviation)) and spread is not None and spread.seeds == seeds


def score_of(found: BenchReport) -> Column:
    score = compare(found).score
    assert score is not None
    return score


def row(column: Column, encoder: str) -> Comparison:
    (found,) = [row for row in column.rows if row.encoder == encoder]
    return found


def test_figures_by_hand(three_seeds: BenchReport) -> None:
    per, acc = compare(three_seeds).columns
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
    tuned = compare(three_seeds).columns[1].rows[1]
    assert tuned.figure is not None
    assert tuned.figure.deviation == pytest.approx(0)
    assert near(tuned.delta, 0, 0.1, 3)


def test_without_test_rows_there_are_no_intervals(three_seeds: BenchReport) -> None:
    compared = compare(three_seeds)
    assert compared.tested == 0
    for column in (*compared.columns, score_of(three_seeds)):
        delta = column.rows[1].delta
        assert delta is not None
        assert (delta.interval, delta.error, delta.p, delta.adjusted, delta.verdict) == (None,) * 5


def test_verdicts_follow_the_direction_of_the_metric() -> None:
    per, acc = compare(bench_of()).columns
    assert [row.delta and row.delta.verdict for row in per.rows] == [None, "better", "no difference seen"]
    assert [row.delta and row.delta.verdict for row in acc.rows] == [None, "no difference seen", "worse"]
    for column in (per, acc):
        for each in column.rows[1:]:
            assert each.delta is not None
            assert each.delta.interval is not None
            assert each.delta.interval[0] < each.delta.mean < each.delta.interval[1]
            assert each.figure is not None
            assert each.figure.interval is not None
            assert each.figure.interval[0] < each.figure.mean < each.figure.interval[1]


def test_pairing_makes_intervals_narrower_than_figures_alone_would() -> None:
    delta, figure = (getattr(row(compare(bench_of()).columns[0], "merged"), name) for name in ("delta", "figure"))
    assert delta.interval[1] - delta.interval[0] < 0.7 * (figure.interval[1] - figure.interval[0])


def test_correction_is_over_all_differences_with_the_score() -> None:
    compared = compare(bench_of())
    assert compared.score is not None
    deltas = [row.delta for column in (*compared.columns, compared.score) for row in column.rows if row.delta]
    assert compared.tested == len(deltas) == 6
    least = min(deltas, key=lambda delta: delta.p or 1)
    assert least.p is not None
    assert least.adjusted == pytest.approx(min(1, 6 * least.p))


def test_same_report_gives_the_same_figures_whatever_else_is_in_it() -> None:
    alone = bench_of({label: {"ks": own["ks"]} for label, own in RATES.items()})
    first, again = compare(bench_of()), compare(bench_of())
    assert first == again
    for one, other in zip(first.columns[1].rows, compare(alone).columns[0].rows, strict=True):
        assert one.figure == other.figure
        assert (one.delta and one.delta.interval) == (other.delta and other.delta.interval)


def test_one_seed_has_an_interval_over_items_but_no_deviation() -> None:
    delta = row(compare(bench_of(seeds=1)).columns[0], "tuned").delta
    assert delta is not None
    assert (delta.deviation, delta.seeds, delta.verdict) == (None, 1, "better")
    assert delta.interval is not None


def test_seed_that_failed_for_one_is_left_out_for_all() -> None:
    whole = bench_of()
    kept = tuple(p for p in whole.probes if (p.encoder, p.task, p.seed) != ("tuned", "pr", 1))
    per, acc = compare(replace(whole, probes=kept, failures=(Failure("tuned", "pr", 1, "why"),))).columns
    two = replace(whole, probes=tuple(p for p in whole.probes if p.seed != 1), seeds=(0, 2))
    assert per == replace(compare(two).columns[0], rows=per.rows)
    assert [each.figure and each.figure.seeds for each in per.rows] == [2, 2, 2]
    assert [each.values for each in per.rows] == [each.values for each in compare(two).columns[0].rows]
    assert [each.figure and each.figure.seeds for each in acc.rows] == [3, 3, 3]


def test_encoder_that_failed_on_a_task_has_no_figure_and_the_score_leaves_the_task_out() -> None:
    whole = bench_of()
    found = compare(replace(whole, probes=tuple(p for p in whole.probes if (p.encoder, p.task) != ("tuned", "pr"))))
    per = found.columns[0]
    assert row(per, "tuned") == Comparison("tuned", (), None, None)
    assert row(per, "merged").delta is not None
    assert list(found.scored) == ["ks"]


def test_without_the_first_encoder_there_are_figures_but_no_differences() -> None:
    whole = bench_of()
    per = compare(replace(whole, probes=tuple(p for p in whole.probes if p.encoder != "base"))).columns[0]
    assert [each.delta for each in per.rows] == [None] * 3
    assert row(per, "tuned").figure is not None


def test_figure_that_is_not_a_number_is_left_out() -> None:
    whole = bench_of()
    spoilt = tuple(replace(p, test={**p.test, "acc": float("nan")}) if p.task == "ks" else p for p in whole.probes)
    assert [column.metric for column in compare(replace(whole, probes=spoilt)).columns] == ["per"]


def test_probes_of_other_items_are_refused() -> None:
    whole = bench_of()
    other = probe("tuned", "ks", 0, rows_of("ks", 0.3, 0, items=9))
    probes = [p for p in whole.probes if (p.encoder, p.task, p.seed) != ("tuned", "ks", 0)]
    with pytest.raises(DataError, match="task 'ks': expected rows about the same test items from every probe"):
        compare(replace(whole, probes=(*probes, other)))


def test_task_whose_plugin_is_gone_keeps_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench_of()
    renamed = replace(
        whole,
        tasks=tuple(replace(task, name=f"gone-{task.name}") for task in whole.tasks),
        probes=tuple(replace(p, task=f"gone-{p.task}") for p in whole.probes),
    )
    compared = compare(renamed)
    assert compared.score is None
    assert compared.tested == 0
    assert compared.columns[0].rows[1].delta is not None


def test_score_by_hand() -> None:
    figures = {"base": {"pr": {"per": [0.8201, 0.0238]}}, "tuned": {"pr": {"per": [0.42195, 0.0238]}}}
    score = score_of(report(figures, "speech-ft"))
    assert score.rows[0].values == pytest.approx((0, 1000))
    assert score.rows[1].values == pytest.approx((500, 1000))
    assert near(score.rows[1].delta, 250, 500 / 2**0.5, 2)


def test_score_is_that_of_the_mean_figures_and_has_points_by_task() -> None:
    found = bench_of(references="superb-site")
    compared = compare(found)
    for label in RATES:
        means = {
            task: {metric: float(np.mean(found.values(label, task, metric)))}
            for task, metric in (("pr", "per"), ("ks", "acc"))
        }
        wanted = superb_score(means, "superb-site")
        figure = row(score_of(found), label).figure
        assert figure is not None
        assert figure.mean == pytest.approx(wanted.value)
        assert {task: points[label] for task, points in compared.scored.items()} == pytest.approx(dict(wanted.tasks))


def test_interval_of_the_score_is_that_of_its_only_task() -> None:
    found = compare(bench_of({label: {"pr": own["pr"]} for label, own in RATES.items()}))
    assert found.score is not None
    per, score = (row(column, "tuned").delta for column in (found.columns[0], found.score))
    assert per is not None
    assert per.error is not None
    assert score is not None
    # 79.63 percentage points of PER from the floor to the top.
    assert score.error == pytest.approx(per.error * 100 * 1000 / 79.63)
    assert score.p == pytest.approx(per.p)
    assert score.verdict == "better"


def test_score_leaves_out_metrics_that_do_not_count() -> None:
    one = score_of(report({"base": {"er": {"acc": [0.7068], "uar": [0.1]}}}, "speech-ft"))
    assert one.rows[0].values == pytest.approx((1000,))


def test_score_follows_the_references() -> None:
    figures = {"base": {"ks": {"acc": [0.9666]}}}
    site, paper = (score_of(report(figures, name)) for name in ("superb-site", "speech-ft"))
    assert site.rows[0].values == pytest.approx((1000,))
    assert paper.rows[0].values[0] < 1000
