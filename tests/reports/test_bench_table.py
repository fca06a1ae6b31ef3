"""The table of a bench, in the terminal and in Markdown."""

from __future__ import annotations

import io

from rich.console import Console

from mergekit_speech.reports.bench_table import bench_markdown, bench_table
from mergekit_speech.superb.results import BenchReport
from tests.superb.corpus import report

FIGURES = {
    "base": {"pr": {"per": [0.20, 0.30]}, "ks": {"acc": [0.5, 0.6]}},
    "tuned|[b]": {"pr": {"per": [0.18, 0.24]}, "ks": {"acc": [0.6, 0.8]}},
}


def shown(found: BenchReport) -> str:
    text = io.StringIO()
    Console(file=text, width=160).print(bench_table(found))
    return text.getvalue()


def test_markdown_is_the_whole_table() -> None:
    assert bench_markdown(report(FIGURES, "superb-site")).splitlines() == [
        "| encoder | PR PER ↓ | KS accuracy ↑ | SUPERB score ↑ |",
        "| --- | ---: | ---: | ---: |",
        "| base | 25.00 ± 7.07 | 55.00 ± 7.07 | 486 ± 19 |",
        r"| tuned\|[b] | 21.00 ± 4.24 (−4.00 ± 2.83) | 70.00 ± 14.14 (+15.00 ± 7.07) | 648 ± 101 (+161 ± 82) |",
        "",
        "Mean ± standard deviation over 2 seeds; test figures in percent. In brackets: difference from base, paired by"
        " seed. SUPERB score over pr, ks with the references superb-site, on this data.",
    ]


def test_terminal_shows_differences_below() -> None:
    lines = shown(report(FIGURES, "speech-ft")).splitlines()
    (place,) = [number for number, line in enumerate(lines) if "tuned|[b]" in line]
    assert "21.00 ± 4.24" in lines[place]
    assert "−4.00 ± 2.83" in lines[place + 1]
    assert "+15.00 ± 7.07" in lines[place + 1]
    assert "PR PER ↓" in shown(report(FIGURES, "speech-ft"))
    assert "references speech-ft" in " ".join(shown(report(FIGURES, "speech-ft")).split())


def test_one_seed_has_no_spread_and_one_encoder_no_difference() -> None:
    text = bench_markdown(report({"base": {"ks": {"acc": [0.5]}}}, "speech-ft"))
    assert "| base | 50.00 | 463 |" in text
    assert "One seed, so no spread; test figures in percent. SUPERB score over ks" in text
    assert "±" not in text
