"""Curves as a PNG."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image

from mergekit_speech.reports.curve_plot import paint_curves
from mergekit_speech.reports.curves import Curve, Plot, Point

CURVES = [
    Curve("linear", [Point(0.0, 20.0, end=True), Point(0.5, 25.0, (24.0, 26.0)), Point(1.0, 21.0, (20.0, 23.0))]),
    Curve("ties", [Point(0.5, 22.0)]),
]


def test_the_same_plots_give_the_same_bytes(tmp_path: Path) -> None:
    plots = [Plot("PR PER ↓", CURVES), Plot("KS accuracy ↑", CURVES), Plot("SID accuracy ↑", CURVES)]
    for name in ("a.png", "b.png"):
        paint_curves(plots, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    paint_curves(plots[:2], tmp_path / "two.png")
    tall, wide = (matplotlib.image.imread(tmp_path / name).shape for name in ("a.png", "two.png"))
    assert tall[0] > wide[0]
    assert tall[1] == wide[1]
