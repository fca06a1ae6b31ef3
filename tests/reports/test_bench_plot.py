"""The plot of deltas."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from mergekit_speech.reports.bench_plot import plot_deltas
from tests.superb.corpus import report

FIGURES = {
    "base": {"pr": {"per": [0.20, 0.30]}, "ks": {"acc": [0.5, 0.6]}},
    "$tuned_$": {"pr": {"per": [0.18, 0.24]}, "ks": {"acc": [0.6, 0.8]}},
    "_merged": {"pr": {"per": [0.22, 0.30]}, "ks": {"acc": [0.5, 0.5]}},
}


def test_plot_is_written_as_svg_and_png(tmp_path: Path) -> None:
    svg, png = plot_deltas(report(FIGURES, "speech-ft"), tmp_path / "deltas")
    assert [svg.name, png.name] == ["deltas.svg", "deltas.png"]
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    for words in ("PR PER", "KS accuracy", "$tuned_$", "_merged", "gain over base in percentage points"):
        assert words in text


def test_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    first = plot_deltas(report(FIGURES, "speech-ft"), tmp_path / "a")
    again = plot_deltas(report(FIGURES, "speech-ft"), tmp_path / "b")
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert "date" not in first[0].read_text(encoding="utf-8")


def test_one_seed_is_plotted_without_bars(tmp_path: Path) -> None:
    one_seed = {name: {"ks": {"acc": [0.5]}} for name in ("base", "tuned")}
    assert len(plot_deltas(report(one_seed, "speech-ft"), tmp_path / "deltas")) == 2


def test_one_encoder_has_no_deltas(tmp_path: Path) -> None:
    assert plot_deltas(report({"base": FIGURES["base"]}, "speech-ft"), tmp_path / "deltas") == []
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        plot_deltas(report(FIGURES, "speech-ft"), tmp_path / "gone" / "deltas")
