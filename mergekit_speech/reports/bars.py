"""Figures as bars, one for each encoder, grouped by metric or task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mergekit_speech.reports.bench_table import MINUS, show
from mergekit_speech.reports.canvas import WIDTH, Canvas, shorten, ticks
from mergekit_speech.reports.palette import SERIES
from mergekit_speech.reports.sections import Figure
from mergekit_speech.superb.columns import Column

LEFT, RIGHT = 104, 424
HEADING, ROW, GAP, AXIS = 20, 15, 6, 30


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: Of the encoder.
        value: Its length, in the unit of the axis.
        text: The value as it is written.
        interval: Ends of its whisker; None draws none.
    """

    label: str
    value: float
    text: str
    interval: tuple[float, float] | None = None


def figure_bars(columns: Sequence[Column]) -> Figure:
    """Every metric of every encoder, in percent, with 95 % intervals where they are known."""
    groups = [
        (
            column.heading,
            [
                Bar(
                    row.encoder,
                    column.factor * row.figure.mean,
                    show(row.figure.mean, column),
                    _scaled(row.figure.interval, column.factor),
                )
                for row in column.rows
                if row.figure is not None
            ],
        )
        for column in columns
        if column.task
    ]
    rows = [
        [column.task, column.metric, row.encoder, row.figure.mean, *(row.figure.interval or (None, None))]
        for column in columns
        if column.task
        for row in column.rows
        if row.figure is not None
    ]
    labels = [row.encoder for row in columns[0].rows] if columns else []
    canvas = draw_bars("Test figures by metric and encoder", groups, labels, "test figure, percent")
    known = any(bar.interval for _, bars in groups for bar in bars)
    caption = f"Means over seeds{' with 95 % intervals' if known else ''}; arrows point to the better end."
    return Figure("figures", caption, canvas, ("task", "metric", "encoder", "mean", "low", "high"), rows)


def score_bars(score: Mapping[str, Any]) -> Figure:
    """Points of the SUPERB score by task and encoder, and their mean."""
    labels = [row["encoder"] for row in score["figures"]]
    points = {task: {row["encoder"]: row["tasks"][task] for row in score["figures"]} for task in score["tasks"]}
    means = {row["encoder"]: row["figure"]["mean"] for row in score["figures"]}
    intervals = {row["encoder"]: row["figure"]["interval"] for row in score["figures"]}
    groups = [("mean", [_points(label, means[label], intervals[label]) for label in labels])]
    groups += [(task.upper(), [_points(label, own[label]) for label in labels]) for task, own in points.items()]
    rows = [[task, label, value] for task, own in {"mean": means, **points}.items() for label, value in own.items()]
    canvas = draw_bars("SUPERB score by task and encoder", groups, labels, "points of the SUPERB score")
    caption = f"0 is FBANK, 1000 the best published figure, by the references {score['references']}, on their own data."
    return Figure("superb-score", caption, canvas, ("task", "encoder", "points"), rows)


def draw_bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], labels: Sequence[str], unit: str) -> Canvas:
    """Draws groups of bars from a common 0.

    Args:
        title: What a reader who does not see it is told.
        groups: Heading and bars of each.
        labels: Encoders in the order of their colours.
        unit: Of the axis.
    """
    canvas = Canvas(title)
    ends = [end for _, bars in groups for bar in bars for end in (bar.value, *(bar.interval or ()))]
    steps = ticks(min(0.0, *ends), max(0.0, *ends)) if ends else [0.0, 1.0]
    scale = (RIGHT - LEFT) / (steps[-1] - steps[0])

    def place(value: float) -> float:
        return LEFT + (value - steps[0]) * scale

    top = 4.0
    bottom = top + sum(HEADING + ROW * len(bars) + GAP for _, bars in groups)
    for step in steps:
        canvas.line(place(step), top, place(step), bottom, "zero" if step == 0 else "grid")
        canvas.text(place(step), bottom + 13, f"{step:g}".replace("-", MINUS), "small muted middle")
    canvas.text((LEFT + RIGHT) / 2, bottom + 27, unit, "small muted middle")
    y = top
    for heading, bars in groups:
        canvas.text(0, y + 14, heading, "strong")
        y += HEADING
        for bar in bars:
            series = labels.index(bar.label) % SERIES
            ends_at = sorted((place(0), place(bar.value)))
            canvas.text(10, y + 11, shorten(bar.label, 14), "small")
            canvas.box(ends_at[0], y + 2, ends_at[1] - ends_at[0], ROW - 4, f"fill-{series}", 0.85)
            if bar.interval is not None:
                canvas.line(place(bar.interval[0]), y + ROW / 2, place(bar.interval[1]), y + ROW / 2, "whisker")
            canvas.text(WIDTH, y + 11, bar.text, "small number end")
            y += ROW
        y += GAP
    canvas.height = bottom + AXIS
    return canvas


def _scaled(interval: tuple[float, float] | None, factor: float) -> tuple[float, float] | None:
    return None if interval is None else (factor * interval[0], factor * interval[1])


def _points(label: str, value: float, interval: Sequence[float] | None = None) -> Bar:
    return Bar(label, value, f"{value:z.0f}".replace("-", MINUS), (interval[0], interval[1]) if interval else None)
