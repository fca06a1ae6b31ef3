"""The plot of deltas."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from mergekit_speech.reports.bench_plot import look, plot_deltas
from tests.reports.documents import bench_document, eventful
from tests.superb.corpus import report

FIGURES = {
    "base": {"pr": {"per": [0.20, 0.30]}, "ks": {"acc": [0.5, 0.6]}},
    "$tuned_$": {"pr": {"per": [0.18, 0.24]}, "ks": {"acc": [0.6, 0.8]}},
    "_merged": {"pr": {"per": [0.22, 0.30]}, "ks": {"acc": [0.5, 0.5]}},
}
WITHOUT_ROWS = report(FIGURES, "speech-ft")


def test_plot_is_written_as_svg_and_png(tmp_path: Path) -> None:
    svg, png = plot_deltas(bench_document(), tmp_path)
    assert [svg.name, png.name] == ["deltas.svg", "deltas.png"]
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    for words in ("PR PER", "KS accuracy", "tuned", "merged", "gain over base in percentage points", "95 % intervals"):
        assert words in text


def test_without_intervals_there_are_no_bars_and_labels_stay_as_they_are(tmp_path: Path) -> None:
    svg, _ = plot_deltas(bench_document(WITHOUT_ROWS), tmp_path)
    text = svg.read_text(encoding="utf-8")
    for words in ("$tuned_$", "_merged", "no intervals"):
        assert words in text


def test_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, again = (plot_deltas(bench_document(), folder) for folder in folders)
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert "date" not in first[0].read_text(encoding="utf-8")


def test_what_failed_is_left_out(tmp_path: Path) -> None:
    svg, _ = plot_deltas(bench_document(eventful()), tmp_path)
    text = svg.read_text(encoding="utf-8")
    assert "PR PER" in text
    assert "KS accuracy" not in text


def test_one_encoder_has_no_deltas(tmp_path: Path) -> None:
    assert plot_deltas(bench_document(report({"base": FIGURES["base"]}, "speech-ft")), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        plot_deltas(bench_document(WITHOUT_ROWS), tmp_path / "gone")


def test_no_two_encoders_look_alike() -> None:
    assert len({look(number) for number in range(42)}) == 42
