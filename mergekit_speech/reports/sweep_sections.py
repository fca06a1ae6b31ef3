"""A document of kind `sweep`: metrics against α, as tables, sections of a page and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.reports.bench_table import MINUS
from mergekit_speech.reports.curve_plot import paint_curves
from mergekit_speech.reports.curves import Curve, Plot, Point, draw_curves
from mergekit_speech.reports.listing import markdown_table, rich_table
from mergekit_speech.reports.sections import Cell, Entry, Figure, Listing, Section

if TYPE_CHECKING:
    from rich.console import RenderableType

CURVES, PAINTED = "curves.svg", "curves.png"
KEYS = ("point", "strategy", "alpha", "task", "metric", "split", "mean", "deviation", "low", "high")


def sweep_table(document: Mapping[str, Any]) -> RenderableType:
    """A rich table: a row for each point, a column for each metric."""
    from rich.console import Group
    from rich.text import Text

    return Group(rich_table(_listing(document)), *(Text(line, style="italic") for line in _say(document)))


def sweep_markdown(document: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    return "\n\n".join([markdown_table(_listing(document)), *_say(document)]) + "\n"


def sweep_sections(document: Mapping[str, Any]) -> list[Section]:
    """What a page says of a sweep."""
    figure = _figure(document)
    return [Section("Sweep", _say(document), [figure] if figure else [], [_listing(document)])]


def plot_curves(document: Mapping[str, Any], folder: Path) -> None:
    """Writes the curves as `curves.svg` and `curves.png`, where a point has an α.

    Raises:
        OSError: The file cannot be written.
    """
    figure = _figure(document)
    if figure is not None:
        (folder / CURVES).write_text(figure.drawing.svg(alone=True) + "\n", encoding="utf-8")
        paint_curves(_plots(document), folder / PAINTED)


def _say(document: Mapping[str, Any]) -> list[str]:
    seeds = len(document["seeds"])
    text = [
        "Figures in percent, of the test split where a point was tested and of the validation split elsewhere;"
        f" mean{' ± standard deviation' if seeds > 1 else ''} over {seeds} seed{'s' if seeds > 1 else ''}."
    ]
    if picked := document["picked"]:
        text.append(f"Picked by validation: {picked['label']} ({picked['why']}).")
        text += _say_tested(document, picked["label"])
    text += [f"Note: {note}" for note in document.get("notes", ())]
    failed = [f"Failed: {fault['encoder']}, {fault['task']}: {fault['message']}" for fault in document["failures"]]
    return text + failed


def _say_tested(document: Mapping[str, Any], label: str) -> list[str]:
    """How the picked point does on test clips, beside the base."""
    (point,) = [each for each in document["points"] if each["label"] == label]
    metrics = {(task, metric["name"]): metric["title"] for task, metric in _metrics(document)}
    said = [
        f"{row['task'].upper()} {metrics[row['task'], row['metric']]} {_say_delta(row['delta'])}"
        for row in point["figures"]
        if row["split"] == "test" and row.get("delta")
    ]
    return (
        [f"Its differences from {document['base']} on test clips, in points of percent: {'; '.join(said)}."]
        if said
        else []
    )


def _say_delta(delta: Mapping[str, Any]) -> str:
    interval = delta["interval"]
    between = f" ({100 * interval[0]:+z.2f} to {100 * interval[1]:+z.2f})" if interval else ""
    return f"{100 * delta['mean']:+z.2f}{between}{', ' + delta['verdict'] if delta['verdict'] else ''}".replace(
        "-", MINUS
    )


def _metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for task in document["tasks"]:
        for metric in task["metrics"]:
            yield task["name"], metric


def _shown(point: Mapping[str, Any], task: str, metric: str) -> Mapping[str, Any] | None:
    """The figure of the test split, or else of the validation split."""
    found = {row["split"]: row for row in point["figures"] if (row["task"], row["metric"]) == (task, metric)}
    return found.get("test", found.get("valid"))


def _listing(document: Mapping[str, Any]) -> Listing:
    metrics = list(_metrics(document))
    arrows = ["↓" if metric["lower_is_better"] else "↑" for _, metric in metrics]
    headings = [
        f"{task.upper()} {metric['title']} {arrow}" for (task, metric), arrow in zip(metrics, arrows, strict=True)
    ]
    rows = [
        [Entry(point["label"]), *(_entry(_shown(point, task, metric["name"])) for task, metric in metrics)]
        for point in document["points"]
    ]
    return Listing("sweep", ["point", *headings], rows, KEYS, _data(document))


def _entry(row: Mapping[str, Any] | None) -> Entry:
    if row is None:
        return Entry("")
    mean, deviation = row["figure"]["mean"], row["figure"]["deviation"]
    text = f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")
    return Entry(text + ("" if row["split"] == "test" else " (valid)"), "number")


def _data(document: Mapping[str, Any]) -> list[list[Cell]]:
    return [
        [
            *(point[name] for name in ("label", "strategy", "alpha")),
            *(row[name] for name in ("task", "metric", "split")),
            row["figure"]["mean"],
            row["figure"]["deviation"],
            *(row["figure"]["interval"] or (None, None)),
        ]
        for point in document["points"]
        for row in point["figures"]
    ]


def _plots(document: Mapping[str, Any]) -> list[Plot]:
    return [
        Plot(f"{task.upper()} {metric['title']} {'↓' if metric['lower_is_better'] else '↑'}", curves)
        for task, metric in _metrics(document)
        if (curves := _curves(document["points"], task, metric["name"]))
    ]


def _figure(document: Mapping[str, Any]) -> Figure | None:
    plots = _plots(document)
    if not plots:
        return None
    caption = "Percent against α with 95 % intervals where they are known; hollow circles: base and tuned encoder."
    return Figure("curves", caption, draw_curves("Metrics against α", plots), KEYS, _data(document))


def _series(point: Mapping[str, Any]) -> str:
    return " ".join([point["strategy"], *(f"{name}={value}" for name, value in point["settings"].items())])


def _curves(points: Sequence[Mapping[str, Any]], task: str, metric: str) -> list[Curve]:
    """A curve for each strategy with its settings; base and tuned encoder end all of them."""
    found: dict[str, list[Point]] = {}
    ends = []
    for point in points:
        row = _shown(point, task, metric)
        if row is None or point["alpha"] is None:
            continue
        interval = row["figure"]["interval"]
        shown = Point(
            point["alpha"],
            100 * row["figure"]["mean"],
            (100 * interval[0], 100 * interval[1]) if interval else None,
            end=point["end"] is not None,
        )
        if shown.end:
            ends.append(shown)
        else:
            found.setdefault(_series(point), []).append(shown)
    if ends and not found:
        found["base and tuned"] = []
    return [Curve(label, sorted([*own, *ends], key=lambda p: p.alpha)) for label, own in found.items()]
