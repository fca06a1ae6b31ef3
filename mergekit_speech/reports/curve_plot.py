"""Metrics against α as a picture of pixels, for where drawings of lines cannot be shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mergekit_speech.reports.bench_plot import look
from mergekit_speech.reports.curves import Curve, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_WIDE, INCHES_HIGH = 3.6, 2.4
ABREAST = 2


def paint_curves(plots: Sequence[Plot], file: Path) -> None:
    """Writes the plots that `curves.draw_curves` draws as a PNG; the same plots give the same bytes.

    Args:
        plots: At least one.
        file: Where.

    Raises:
        OSError: The file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(ABREAST, len(plots))
    rows = -(-len(plots) // columns)
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(INCHES_WIDE * columns, INCHES_HIGH * rows + 0.4), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes, plot in zip(grid, plots, strict=False):
            _paint(axes, plot)
        for axes in grid[len(plots) :]:
            axes.set_axis_off()
        labels = [curve.label for curve in plots[0].curves]
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(labels)))
        figure.savefig(file, dpi=150, metadata={"Software": None})


def _paint(axes: Axes, plot: Plot) -> None:
    for place, curve in enumerate(plot.curves):
        _paint_curve(axes, curve, *look(place))
    axes.set_title(plot.heading, fontsize=9, loc="left")
    axes.set_xlabel("α")
    axes.grid(alpha=0.3)


def _paint_curve(axes: Axes, curve: Curve, colour: str, marker: str) -> None:
    alphas = [point.alpha for point in curve.points]
    axes.plot(alphas, [point.value for point in curve.points], color=colour, label=curve.label)
    for point in curve.points:
        face = "white" if point.end else colour
        axes.plot(point.alpha, point.value, marker=marker, color=colour, markerfacecolor=face)
    known = [(point.alpha, *point.interval) for point in curve.points if point.interval]
    if len(known) > 1:
        at, low, high = zip(*known, strict=True)
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
