"""The SUPERB score gives the published scores on the published rows, and refuses what it cannot score."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.superb.score import REFERENCES, SCORED, superb_score

Figures = Mapping[str, Mapping[str, float]]

TABLE = (
    "pr per",
    "asr wer",
    "ks acc",
    "qbe mtwv",
    "sid acc",
    "asv eer",
    "sd der",
    "er acc",
    "ic acc",
    "sf slot_type_f1",
    "sf slot_value_cer",
)
FOUR = ("pr", "sid", "er", "sf")


def figures_of(columns: tuple[str, ...], row: str) -> dict[str, dict[str, float]]:
    """Read a published row: percentages, but for MTWV, which is published as a fraction."""
    figures: dict[str, dict[str, float]] = {}
    for column, cell in zip(columns, row.split(), strict=True):
        task, metric = column.split()
        figures.setdefault(task, {})[metric] = float(cell) / (1 if metric == "mtwv" else 100)
    return figures


HUBERT = {
    "pre-trained": "5.17 6.38 96.59 .0687 81.86 5.56 6.32 64.99 98.02 88.54 24.70",
    "Stable-FT": "5.22 7.63 96.92 .0970 79.89 5.34 6.02 65.38 98.71 88.52 23.80",
    "Speech-FT": "3.94 5.75 96.69 .1011 84.11 5.27 5.99 67.78 98.97 88.84 23.46",
}
WAV2VEC2_COLUMNS = ("pr per", "sid acc", "er acc", "sf slot_type_f1", "sf slot_value_cer")
SITE_COLUMNS = (
    "pr per",
    "ks acc",
    "ic acc",
    "sid acc",
    "er acc",
    "asr wer",
    "qbe mtwv",
    "sf slot_type_f1",
    "sf slot_value_cer",
    "asv eer",
    "sd der",
)


@pytest.mark.parametrize(
    ("model", "published"), [("pre-trained", 870.20), ("Stable-FT", 870.71), ("Speech-FT", 905.79)]
)
def test_four_tasks_on_hubert(model: str, published: float) -> None:
    row = figures_of(TABLE, HUBERT[model])
    score = superb_score({task: row[task] for task in FOUR})
    assert score.value == pytest.approx(published, abs=0.03)


@pytest.mark.parametrize(
    ("row", "published"),
    [
        ("5.78 75.26 63.45 88.12 24.88", 837.08),
        ("6.84 72.95 64.53 87.22 26.45", 824.82),
        ("4.14 78.44 64.87 88.37 24.10", 864.79),
    ],
)
def test_four_tasks_on_wav2vec2(row: str, published: float) -> None:
    assert superb_score(figures_of(WAV2VEC2_COLUMNS, row)).value == pytest.approx(published, abs=0.03)


@pytest.mark.parametrize(
    ("model", "published"), [("pre-trained", 815.47), ("Stable-FT", 845.00), ("Speech-FT", 874.51)]
)
def test_ten_tasks_on_hubert(model: str, published: float) -> None:
    assert superb_score(figures_of(TABLE, HUBERT[model])).value == pytest.approx(published, abs=0.5)


@pytest.mark.parametrize(
    ("row", "published"),
    [
        ("14.93 94.48 90.80 74.42 62.47 13.02 .0406 83.28 34.73 7.16 6.59", 722),
        ("5.74 96.23 92.35 75.18 63.43 6.43 .0233 88.30 24.77 6.02 6.08", 818),
        ("5.41 96.30 98.34 81.42 64.92 6.42 .0736 88.53 25.20 5.11 5.88", 941),
        ("3.53 95.29 98.76 90.33 67.62 3.62 .0353 89.81 21.76 5.98 5.75", 919),
    ],
)
def test_the_leaderboard(row: str, published: float) -> None:
    assert superb_score(figures_of(SITE_COLUMNS, row), "superb-site").value == pytest.approx(published, abs=1)


@pytest.mark.parametrize("references", sorted(REFERENCES))
def test_the_references_themselves_score_0_and_1000(references: str) -> None:
    for end, expected in (("floor", 0.0), ("top", 1000.0)):
        figures = {
            task: {metric: getattr(anchor, end) / 100 for metric, anchor in metrics.items()}
            for task, metrics in REFERENCES[references].items()
        }
        score = superb_score(figures, references)
        assert score.tasks == pytest.approx(dict.fromkeys(SCORED, expected), abs=1e-9)
        assert score.value == pytest.approx(expected, abs=1e-9)


def test_both_sets_score_the_same_tasks_and_metrics() -> None:
    for anchors in REFERENCES.values():
        assert {task: tuple(metrics) for task, metrics in anchors.items()} == dict(SCORED)


def test_a_task_with_two_metrics_counts_once() -> None:
    # SF: half-way from 69.64 to 92.25 in F1, at the floor in CER; PR: at the top.
    score = superb_score({"sf": {"slot_type_f1": 0.80945, "slot_value_cer": 0.5294}, "pr": {"per": 0.0238}})
    assert score.tasks == pytest.approx({"pr": 1000, "sf": 250})
    assert score.value == pytest.approx(625)


def test_a_score_names_its_references_and_lists_tasks_in_table_order() -> None:
    score = superb_score({"sid": {"acc": 0.5}, "pr": {"per": 0.5}}, "superb-site")
    assert score.references == "superb-site"
    assert list(score.tasks) == ["pr", "sid"]


def test_worse_than_filterbank_is_negative_and_better_than_the_top_is_over_1000() -> None:
    assert superb_score({"pr": {"per": 1.2}}).value < 0
    assert superb_score({"pr": {"per": 0.0}}).value > 1000


@pytest.mark.parametrize(
    ("figures", "references", "message"),
    [
        (
            {"pr": {"per": 0.1}},
            "speechft",
            "expected a set of references among speech-ft, superb-site, got 'speechft' in the SUPERB score"
            " (did you mean 'speech-ft'?)",
        ),
        (
            {"asrr": {"wer": 0.1}},
            "speech-ft",
            "expected a task among pr, asr, ks, qbe, sid, asv, sd, ic, sf, er, got 'asrr' in the SUPERB score"
            " (did you mean 'asr'?)",
        ),
        (
            {"ks": {"accc": 0.1}},
            "speech-ft",
            "expected a metric among acc, got 'accc' in task 'ks' of the SUPERB score (did you mean 'acc'?)",
        ),
        (
            {"sf": {"slot_type_f1": 0.5}},
            "speech-ft",
            "expected metric 'slot_value_cer' of task 'sf' for the SUPERB score, got none: add it",
        ),
        (
            {"ks": {"acc": 96.6}},
            "speech-ft",
            "expected a finite fraction in [0, 1] as metric 'acc' of task 'ks', got 96.6: divide percentages by 100",
        ),
        (
            {"pr": {"per": -0.5}},
            "speech-ft",
            "expected a finite fraction of at least 0 as metric 'per' of task 'pr', got -0.5: probe the task again",
        ),
        ({}, "speech-ft", "expected figures of at least one task for the SUPERB score, got {}: probe a task"),
    ],
)
def test_what_cannot_be_scored_is_refused(figures: Figures, references: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        superb_score(figures, references)
    assert str(caught.value) == message


@pytest.mark.parametrize("figure", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_is_refused(figure: float) -> None:
    with pytest.raises(SettingsError, match=r"of at least 0 as metric 'wer' of task 'asr', got (nan|inf): probe"):
        superb_score({"asr": {"wer": figure}})


def test_scoring_needs_no_torch() -> None:
    code = "import sys, mergekit_speech.superb.score; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
