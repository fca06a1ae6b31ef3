"""The table of a bench, in the terminal and in Markdown."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from mergekit_speech.reports.bench_table import bench_markdown, bench_table, show
from mergekit_speech.superb.columns import Column
from tests.reports.documents import bench_document, eventful
from tests.superb.benches import bench_of
from tests.superb.corpus import report

FIGURES = {
    "base": {"pr": {"per": [0.20, 0.30]}, "ks": {"acc": [0.5, 0.6]}},
    "tuned|[b]": {"pr": {"per": [0.18, 0.24]}, "ks": {"acc": [0.6, 0.8]}},
}


def shown(document: dict[str, Any], width: int = 80) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(bench_table(document))
    return text.getvalue()


def test_markdown_is_the_whole_table() -> None:
    assert bench_markdown(bench_document(report(FIGURES, "superb-site"))).splitlines() == [
        r"|  | base | tuned\|[b] |",
        "| --- | ---: | ---: |",
        "| PR PER ↓ | 25.00 ± 7.07 | 21.00 ± 4.24<br>−4.00 ± 2.83 |",
        "| KS accuracy ↑ | 55.00 ± 7.07 | 70.00 ± 14.14<br>+15.00 ± 7.07 |",
        "| SUPERB score ↑ | 486 ± 19 | 648 ± 101<br>+161 ± 82 |",
        "",
        "Test figures in percent, mean ± standard deviation over 2 seeds. Deltas from base, paired by seed and test"
        " item. No intervals or verdicts: the test items were not kept, or are too few. SUPERB score over pr, ks with"
        " the references superb-site, on this data.",
    ]


def test_markdown_has_intervals_and_verdicts() -> None:
    lines = bench_markdown(bench_document()).splitlines()
    (per,) = [line for line in lines if line.startswith("| PR PER")]
    assert "] better |" in per
    assert per.endswith("] no difference seen |")
    assert "verdicts at 5 % after Holm's correction over all 6 deltas." in lines[-1]


def test_terminal_has_a_row_for_each_encoder_within_80_columns() -> None:
    lines = [line.rstrip() for line in shown(bench_document()).splitlines()]
    assert max(map(len, lines)) <= 80
    (place,) = [number for number, line in enumerate(lines) if line.startswith("PR PER ↓")]
    assert lines[place].split()[3:] == ["base", *lines[place].split()[4:]]
    assert lines[place + 1].split()[0] == "tuned"
    assert lines[place + 1].endswith("better")
    assert "[−" in lines[place + 1]
    assert lines[place + 2].endswith("no difference seen")
    (heading,) = [line.split()[2:] for line in lines if line.startswith("SUPERB score  ")]
    assert heading == ["pr", "ks", "mean"]


def test_labels_are_never_taken_for_markup_and_failures_are_told() -> None:
    document = bench_document(eventful())
    text = " ".join(shown(document).split())
    assert "<b>|[i]" in text
    assert "Failed: <b>|[i], ks: hidden states hold values that are not finite" in text
    assert "Learning rates chosen on validation figures alone" in text
    (row,) = [line for line in bench_markdown(document).splitlines() if line.startswith("| KS")]
    assert row.endswith("| – |")


def test_notes_stand_below() -> None:
    document = {**bench_document(), "notes": ["tuned: its figures on er flatter it"]}
    assert "Note: tuned: its figures on er flatter it" in shown(document)
    assert bench_markdown(document).endswith("\n\nNote: tuned: its figures on er flatter it\n")


def test_one_seed_says_what_its_intervals_leave_out() -> None:
    text = bench_markdown(bench_document(bench_of(seeds=1)))
    assert "Test figures in percent, one seed." in text
    assert "One seed: they say nothing of training again." in text
    assert "±" not in text


def test_one_encoder_has_no_difference() -> None:
    text = bench_markdown(bench_document(report({"base": {"ks": {"acc": [0.5]}}}, "speech-ft")))
    assert "| KS accuracy ↑ | 50.00 |" in text
    assert "| SUPERB score ↑ | 463 |" in text
    assert "Deltas" not in text


def test_differences_that_rounding_makes_zero_have_no_minus() -> None:
    column = Column("ks", "acc", "accuracy", lower_is_better=False, rows=())
    assert show(-1e-9, column, signed=True) == "+0.00"
    assert show(-1e-9, column) == "0.00"
    assert show(-0.0123, column, signed=True) == "−1.23"
