"""Draws what the experiment's tables say: metrics against α, and features against weights."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mergekit_speech.reports.bench_plot import look
from mergekit_speech.reports.curves import Curve, Plot, Point, draw_curves
from mergekit_speech.superb.columns import Column, Comparison, read_columns

INCHES = (7.0, 4.2)


def draw_alphas(comparisons: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Draw how far each metric is from that of the base, against α, with 95 % intervals.

    Args:
        comparisons: Results of encoders that are labelled `α 0`, `α 0.25` …, by what they were tuned on.
        file: SVG to write.
    """
    columns = {name: {column.heading: column for column in read_columns(each)} for name, each in comparisons.items()}
    headings = dict.fromkeys(heading for own in columns.values() for heading in own)
    plots = [
        Plot(heading, [_curve(name, own[heading]) for name, own in columns.items() if heading in own])
        for heading in headings
    ]
    drawing = draw_curves("Differences from the base against α", plots)
    file.write_text(drawing.svg(alone=True) + "\n", encoding="utf-8")


def draw_similarity(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw R² of features against the deviation of weights: a small mark for an encoder, a large one for the mean.

    Args:
        rows: With `encoder`, `deviation` and `r2`.
        file: SVG to write.
    """
    import matplotlib
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(row["encoder"] for row in rows))
    with matplotlib.rc_context({"svg.hashsalt": "mergekit-speech", "font.size": 9}):
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.add_subplot()
        for number, label in enumerate(labels):
            colour, marker = look(number)
            x, y = ([row[name] for row in rows if row["encoder"] == label] for name in ("deviation", "r2"))
            axes.scatter(x, y, s=14, color=colour, marker=marker, alpha=0.4, linewidths=0)
            centre = statistics.fmean(x), statistics.fmean(y)
            axes.plot(*centre, color=colour, marker=marker, markersize=8, linestyle="none", label=label)
        axes.set_xlabel("deviation of weights, ‖θ − θ₀‖ / ‖θ₀‖")
        axes.set_ylabel("R² of features, mean over layers")
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=4, frameon=False)
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def _curve(name: str, column: Column) -> Curve:
    return Curve(f"tuned on {name.upper()}", [_point(row, column.factor) for row in column.rows])


def _point(row: Comparison, factor: int) -> Point:
    alpha = float(row.encoder.removeprefix("α "))
    if row.delta is None:
        return Point(alpha, 0.0, end=True)
    low, high = row.delta.interval or (row.delta.mean, row.delta.mean)
    return Point(alpha, factor * row.delta.mean, (factor * low, factor * high), end=alpha in (0, 1))
