"""Deltas with their intervals as a forest plot."""

from __future__ import annotations

from collections.abc import Sequence

from mergekit_speech.reports.bench_table import MINUS, show, show_interval
from mergekit_speech.reports.canvas import WIDTH, Canvas, shorten, ticks
from mergekit_speech.reports.palette import SERIES
from mergekit_speech.reports.sections import Cell, Figure
from mergekit_speech.superb.columns import Column, Comparison, Delta
from mergekit_speech.superb.uncertainty import UNSEEN

LEFT, RIGHT = 104, 316
HEADING, ROW, AXIS = 22, 20, 34
KEYS = ("task", "metric", "encoder", "delta", "low", "high", "p", "adjusted", "verdict")


def forest_plot(columns: Sequence[Column], base: str) -> Figure | None:
    """Every delta of every metric: label, interval on an axis of gains, and the numbers as measured.

    Args:
        columns: Metrics of tasks; the SUPERB score, in points, has no place on the axis and is left out.
        base: Label of the encoder that deltas refer to.

    Returns:
        None where there are no deltas.
    """
    shown = [(column, _deltas(column)) for column in columns if column.task]
    shown = [(column, deltas) for column, deltas in shown if deltas]
    if not shown:
        return None
    canvas = Canvas(f"Gains over {base} by metric and encoder, with 95 % intervals")
    steps = ticks(*_reach([(column, delta) for column, deltas in shown for _, _, delta in deltas]))
    scale = (RIGHT - LEFT) / (steps[-1] - steps[0])

    def place(gain: float) -> float:
        return LEFT + (gain - steps[0]) * scale

    top = 6.0
    bottom = top + sum(HEADING + ROW * len(deltas) + 6 for _, deltas in shown)
    for step in steps:
        canvas.line(place(step), top, place(step), bottom, "zero" if step == 0 else "grid")
        canvas.text(place(step), bottom + 14, f"{step:+g}".replace("-", MINUS) if step else "0", "small muted middle")
    canvas.text((LEFT + RIGHT) / 2, bottom + 29, "gain, percentage points", "small muted middle")
    y = top
    for column, deltas in shown:
        canvas.text(0, y + 15, column.name, "strong")
        y += HEADING
        for series, row, delta in deltas:
            _draw(canvas, y + ROW / 2, column, series, row, delta, [place(gain) for gain in _gains(column, delta)])
            y += ROW
        y += 6
    canvas.height = bottom + AXIS
    judged = any(delta.verdict for _, deltas in shown for _, _, delta in deltas)
    marks = " Filled marks: a difference was seen after correction; hollow: none was." if judged else ""
    caption = f"Differences from {base}; right is better, numbers as measured.{marks}"
    rows = [_data(column, row, delta) for column, deltas in shown for _, row, delta in deltas]
    return Figure("deltas", caption, canvas, KEYS, rows)


def _deltas(column: Column) -> list[tuple[int, Comparison, Delta]]:
    return [(series, row, row.delta) for series, row in enumerate(column.rows) if row.delta is not None]


def _gains(column: Column, delta: Delta) -> list[float]:
    """Mean, worse and better end, in percentage points, larger is better; an end is the mean where none is known."""
    sign = -column.factor if column.lower_is_better else column.factor
    return [sign * delta.mean, *sorted(sign * end for end in delta.interval or (delta.mean, delta.mean))]


def _reach(deltas: Sequence[tuple[Column, Delta]]) -> tuple[float, float]:
    ends = [gain for column, delta in deltas for gain in _gains(column, delta)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    return (low, high) if high > low else (-1.0, 1.0)


def _draw(
    canvas: Canvas, y: float, column: Column, series: int, row: Comparison, delta: Delta, places: Sequence[float]
) -> None:
    mean, low, high = places
    seen = delta.verdict not in (None, UNSEEN)
    canvas.text(10, y + 4, shorten(row.encoder, 14), "small")
    if delta.interval is not None:
        colour = f"mark stroke-{series % SERIES}"
        canvas.line(low, y, high, y, colour)
        for end in (low, high):
            canvas.line(end, y - 3.5, end, y + 3.5, colour)
    canvas.mark(mean, y, series, filled=seen)
    style = "small number end strong" if seen else "small number end"
    canvas.text(RIGHT + 54, y + 4, show(delta.mean, column, signed=True), style)
    canvas.text(WIDTH, y + 4, show_interval(column, delta), "small number muted end")


def _data(column: Column, row: Comparison, delta: Delta) -> list[Cell]:
    low, high = delta.interval or (None, None)
    return [column.task, column.metric, row.encoder, delta.mean, low, high, delta.p, delta.adjusted, delta.verdict]
