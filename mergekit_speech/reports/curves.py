"""Metrics against α, one small plot each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mergekit_speech.reports.bench_table import MINUS
from mergekit_speech.reports.canvas import WIDTH, Canvas, ticks
from mergekit_speech.reports.palette import SERIES

PLOT_WIDTH, PLOT_HEIGHT, LEFT, TOP = 186.0, 108.0, 44.0, 24.0
ACROSS, DOWN = WIDTH / 2, 168.0


@dataclass(frozen=True)
class Point:
    """A figure at one α.

    Attributes:
        alpha: Where.
        value: In the unit of the plot.
        interval: 95 % interval, or None.
        end: Whether it is the base or the tuned encoder itself.
    """

    alpha: float
    value: float
    interval: tuple[float, float] | None = None
    end: bool = False


@dataclass(frozen=True)
class Curve:
    """One strategy's figures, by rising α.

    Attributes:
        label: Of the strategy.
        points: At least one.
    """

    label: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Plot:
    """One small plot.

    Attributes:
        heading: Its metric.
        curves: Of the strategies.
    """

    heading: str
    curves: Sequence[Curve]


def draw_curves(title: str, plots: Sequence[Plot]) -> Canvas:
    """Draws small plots two abreast, and what the colours mean.

    Args:
        title: What a reader who does not see it is told.
        plots: Each with the same curves in the same order.
    """
    canvas = Canvas(title)
    labels = list(dict.fromkeys(curve.label for plot in plots for curve in plot.curves))
    for place, plot in enumerate(plots):
        _draw_plot(canvas, place % 2 * ACROSS, place // 2 * DOWN, plot, labels)
    bottom = -(-len(plots) // 2) * DOWN
    for place, label in enumerate(labels):
        x, y = place % 3 * (WIDTH / 3) + 8, bottom + 12 + place // 3 * 18
        canvas.mark(x, y, place + 1)
        canvas.text(x + 12, y + 4, label, "small")
    canvas.height = bottom + 8 + -(-len(labels) // 3) * 18
    return canvas


def _draw_plot(canvas: Canvas, x: float, y: float, plot: Plot, labels: Sequence[str]) -> None:
    points = [point for curve in plot.curves for point in curve.points]
    ends = [end for point in points for end in (point.value, *(point.interval or ()))]
    steps = ticks(min(ends), max(ends), 4)
    alphas = ticks(min(0.0, *(p.alpha for p in points)), max(1.0, *(p.alpha for p in points)), 4)
    left, top = x + LEFT, y + TOP

    def at(alpha: float, value: float) -> tuple[float, float]:
        across = (alpha - alphas[0]) / (alphas[-1] - alphas[0])
        up = (value - steps[0]) / (steps[-1] - steps[0])
        return left + across * PLOT_WIDTH, top + (1 - up) * PLOT_HEIGHT

    canvas.text(left, y + 14, plot.heading, "strong")
    for step in steps:
        height = at(alphas[0], step)[1]
        canvas.line(left, height, left + PLOT_WIDTH, height, "grid")
        canvas.text(left - 5, height + 3.5, f"{step:g}".replace("-", MINUS), "tiny muted end")
    for alpha in alphas:
        canvas.text(
            at(alpha, steps[0])[0], top + PLOT_HEIGHT + 13, f"{alpha:g}".replace("-", MINUS), "tiny muted middle"
        )
    canvas.text(left + PLOT_WIDTH / 2, top + PLOT_HEIGHT + 25, "α", "small muted middle")
    for curve in plot.curves:
        series = labels.index(curve.label) + 1
        _draw_curve(canvas, [(point, at(point.alpha, point.value)) for point in curve.points], series)
        known = [(point, point.interval) for point in curve.points if point.interval]
        over = [at(point.alpha, interval[1]) for point, interval in known]
        under = [at(point.alpha, interval[0]) for point, interval in reversed(known)]
        if len(known) > 1:
            canvas.area([*over, *under], f"fill-{series % SERIES}", 0.15)


def _draw_curve(canvas: Canvas, places: Sequence[tuple[Point, tuple[float, float]]], series: int) -> None:
    if len(places) > 1:
        canvas.path([place for _, place in places], f"mark stroke-{series % SERIES}")
    for point, (x, y) in places:
        canvas.mark(x, y, 0 if point.end else series, filled=not point.end, size=3.5)
