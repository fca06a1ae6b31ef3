"""The deltas of a bench as a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.superb.columns import Column, read_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "deltas"
ENDINGS = (".svg", ".png")
INCHES_WIDE = 7.0
INCHES_A_BAR = 0.24
# Colour-blind safe (Okabe and Ito), told apart by shape as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One more than colours, so that 42 encoders differ in one or the other."""


def plot_deltas(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Plots, for every metric, how much better or worse each encoder is than the first one.

    A point is the mean over seeds of the paired differences, in percentage points and with the sign turned for error
    rates so that right is better; its bar is the 95 % interval. The same document gives the same bytes.

    Args:
        document: Of kind `bench`.
        folder: Where to write `deltas.svg` and `deltas.png`.

    Returns:
        The files; none where there is no delta.

    Raises:
        OSError: A file cannot be written.
    """
    columns = [column for column in read_columns(document) if column.task and any(row.delta for row in column.rows)]
    if not columns:
        return []
    import matplotlib

    files = [folder / f"{NAME}{ending}" for ending in ENDINGS]
    with matplotlib.rc_context({"svg.hashsalt": "mergekit-speech", "font.size": 9}):
        for file in files:
            # Neither the day nor the version that drew it belongs into the bytes.
            metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
            _draw(columns, document["deltas_refer_to"]).savefig(file, dpi=150, metadata=metadata)
    return files


def look(number: int) -> tuple[str, str]:
    """Colour and marker of an encoder or curve, by its number."""
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _draw(columns: list[Column], base: str) -> Figure:
    from matplotlib.figure import Figure

    others = [row.encoder for row in columns[0].rows if row.encoder != base]
    rows = len(columns) * (len(others) + 1)
    figure = Figure(figsize=(INCHES_WIDE, 1.4 + INCHES_A_BAR * rows), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="0.4", linewidth=1)
    for number, label in enumerate(others):
        _draw_encoder(axes, columns, number, len(others), label)
    axes.set_yticks(range(len(columns)), [column.name for column in columns])
    axes.set_ylim(len(columns) - 0.5, -0.5)
    for place in range(1, len(columns)):
        axes.axhline(place - 0.5, color="0.85", linewidth=0.8)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.set_xlabel(_explain(columns, base), parse_math=False)
    legend = figure.legend(loc="outside upper left", ncols=min(4, len(others)), frameon=False)
    for text in (*legend.get_texts(), *axes.get_yticklabels()):
        text.set_parse_math(False)
    return figure


def _draw_encoder(axes: Axes, columns: list[Column], number: int, encoders: int, label: str) -> None:
    deltas = [
        (place, -100 if column.lower_is_better else 100, row.delta)
        for place, column in enumerate(columns)
        for row in column.rows
        if row.encoder == label and row.delta
    ]
    colour, marker = look(number)
    # The reach is the same to both sides.
    reaches = [100 * (delta.interval[1] - delta.mean) if delta.interval else 0 for _, _, delta in deltas]
    axes.errorbar(
        [sign * delta.mean for _, sign, delta in deltas],
        [place + (number - (encoders - 1) / 2) * 0.8 / encoders for place, _, _ in deltas],
        xerr=reaches if any(reaches) else None,
        fmt=marker,
        color=colour,
        capsize=3,
        markersize=5,
        # A label that starts with an underscore would be left out of the legend.
        label=f"\u200b{label}" if label.startswith("_") else label,
    )


def _explain(columns: list[Column], base: str) -> str:
    known = any(row.delta and row.delta.interval for column in columns for row in column.rows)
    bars = "bars: 95 % intervals" if known else "no intervals"
    return f"gain over {base} in percentage points, right is better ({bars})"
