"""The deltas of a bench as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mergekit_speech.superb.deltas import Column, compare
from mergekit_speech.superb.results import BenchReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".png")
INCHES_WIDE = 7.0
INCHES_A_BAR = 0.24
# Colour-blind safe (Okabe and Ito), told apart by shape as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_deltas(report: BenchReport, path: Path) -> list[Path]:
    """Plots, for every metric, how much better or worse each encoder is than the first one.

    A point is the mean over seeds of the paired differences, in percentage points and with the sign turned for error
    rates so that right is better; its bar is one standard deviation to each side. The same report gives the same bytes.

    Args:
        report: The bench.
        path: File to write, without its ending.

    Returns:
        An SVG and a PNG file; nothing where there is one encoder, and so no delta.

    Raises:
        OSError: A file cannot be written.
    """
    if len(report.encoders) < 2:
        return []
    import matplotlib

    files = [path.with_name(f"{path.name}{ending}") for ending in ENDINGS]
    with matplotlib.rc_context({"svg.hashsalt": "mergekit-speech", "font.size": 9}):
        for file in files:
            # Neither the day nor the version that drew it belongs into the bytes.
            metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
            _draw(report).savefig(file, dpi=150, metadata=metadata)
    return files


def _draw(report: BenchReport) -> Figure:
    from matplotlib.figure import Figure

    columns, others = compare(report), [encoder.label for encoder in report.encoders[1:]]
    rows = len(columns) * (len(others) + 1)
    figure = Figure(figsize=(INCHES_WIDE, 1.4 + INCHES_A_BAR * rows), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="0.4", linewidth=1)
    for number, label in enumerate(others):
        _draw_encoder(axes, columns, number, len(others), label)
    titles = [f"{(column.task or '').upper()} {column.title}" for column in columns]
    axes.set_yticks(range(len(columns)), titles)
    axes.set_ylim(len(columns) - 0.5, -0.5)
    for place in range(1, len(columns)):
        axes.axhline(place - 0.5, color="0.85", linewidth=0.8)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.set_xlabel(_explain(report), parse_math=False)
    legend = figure.legend(loc="outside upper left", ncols=min(4, len(others)), frameon=False)
    for text in (*legend.get_texts(), *axes.get_yticklabels()):
        text.set_parse_math(False)
    return figure


def _draw_encoder(axes: Axes, columns: list[Column], number: int, encoders: int, label: str) -> None:
    spreads = [(column, column.rows[number + 1].delta) for column in columns]
    signs = [-1 if column.lower_is_better else 1 for column in columns]
    gains = [100 * sign * (delta.mean if delta else 0) for sign, (_, delta) in zip(signs, spreads, strict=True)]
    errors = [100 * (delta.deviation or 0) if delta else 0 for _, delta in spreads]
    places = [place + (number - (encoders - 1) / 2) * 0.8 / encoders for place in range(len(columns))]
    axes.errorbar(
        gains,
        places,
        xerr=errors if any(errors) else None,
        fmt=MARKERS[number % len(MARKERS)],
        color=COLOURS[number % len(COLOURS)],
        capsize=3,
        markersize=5,
        # A label that starts with an underscore would be left out of the legend.
        label=f"\u200b{label}" if label.startswith("_") else label,
    )


def _explain(report: BenchReport) -> str:
    seeds = len(report.seeds)
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    return f"gain over {report.encoders[0].label} in percentage points, right is better ({spread})"
