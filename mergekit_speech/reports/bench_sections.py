"""The sections of a page about a bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from mergekit_speech.reports.bars import figure_bars, score_bars
from mergekit_speech.reports.bench_table import caption, remarks, show_delta, show_figure, show_interval
from mergekit_speech.reports.forest import forest_plot
from mergekit_speech.reports.heat import Band, heat_map
from mergekit_speech.reports.sections import Cell, Entry, Figure, Listing, Section
from mergekit_speech.superb.columns import Column, Comparison, read_columns
from mergekit_speech.superb.uncertainty import BETTER, UNSEEN, WORSE

LOOKS = {BETTER: "good", WORSE: "bad", UNSEEN: "quiet"}
HEADINGS = ("metric", "encoder", "figure", "delta", "95 % interval", "verdict")
KEYS = ("task", "metric", "encoder", "mean", "deviation", "seeds", "delta", "low", "high", "p", "adjusted", "verdict")


def bench_sections(document: Mapping[str, Any]) -> list[Section]:
    """What a page says of a bench, most telling first."""
    columns = read_columns(document)
    figures = [forest_plot(columns, document["deltas_refer_to"]), figure_bars(columns)]
    sections = [
        Section(
            "Summary",
            [*_findings(columns, document["deltas_refer_to"]), *remarks(document)],
            [figure for figure in figures if figure],
        ),
        Section("Figures by task", [caption(document)], listings=[_listing(columns)]),
    ]
    if document["score"] is not None:
        sections.append(Section("SUPERB score", [_say_score(document)], [score_bars(document["score"])]))
    if shares := _layer_shares(document):
        sections.append(Section("Layers", [SHARES], [shares]))
    if tried := _tried(document):
        sections.append(Section("Learning rates", [TRIED], listings=[tried]))
    return sections


SHARES = "Share of each hidden state in the weighted sum that a probe hears, mean over seeds; 0 enters the first layer."
TRIED = "Validation figures of every rate that was tried. Only the best one of each encoder and task was tested."


def _findings(columns: Sequence[Column], base: str) -> list[str]:
    """A sentence for each encoder: on what it is better and worse, and how much is left."""
    found: dict[str, dict[str, list[str]]] = {}
    for column in columns:
        for row in column.rows:
            if row.delta and row.delta.verdict:
                found.setdefault(row.encoder, {}).setdefault(row.delta.verdict, []).append(column.name)
    return [f"{encoder} against {base}: {_say(verdicts)}." for encoder, verdicts in found.items()]


def _say(verdicts: Mapping[str, Sequence[str]]) -> str:
    seen = [f"{verdict} on {', '.join(verdicts[verdict])}" for verdict in (BETTER, WORSE) if verdict in verdicts]
    unseen = len(verdicts.get(UNSEEN, ()))
    if not unseen:
        return "; ".join(seen)
    others = "others" if seen else "figures"
    return "; ".join([*seen, f"{UNSEEN} in {verdicts[UNSEEN][0] if unseen == 1 else f'the {unseen} {others}'}"])


def _listing(columns: Sequence[Column]) -> Listing:
    return Listing(
        "figures",
        HEADINGS,
        [_show(column, row, first=place == 0) for column in columns for place, row in enumerate(column.rows)],
        KEYS,
        [_save(column, row) for column in columns for row in column.rows],
    )


def _show(column: Column, row: Comparison, *, first: bool) -> list[Entry]:
    entries = [
        Entry(column.heading, "head" if first else "again"),
        Entry(row.encoder),
        Entry(show_figure(column, row.figure), "number"),
    ]
    if row.delta is None:
        return [*entries, Entry(""), Entry(""), Entry("")]
    verdict = row.delta.verdict
    return [
        *entries,
        Entry(show_delta(column, row.delta), "number"),
        Entry(show_interval(column, row.delta), "number"),
        Entry(verdict or "", LOOKS[verdict] if verdict else ""),
    ]


def _save(column: Column, row: Comparison) -> list[Cell]:
    figure, delta = row.figure, row.delta
    cells: list[Cell] = [column.task or "", column.metric, row.encoder]
    cells += [figure.mean, figure.deviation, figure.seeds] if figure else [None] * 3
    if delta is None:
        return [*cells, *[None] * 6]
    low, high = delta.interval or (None, None)
    return [*cells, delta.mean, low, high, delta.p, delta.adjusted, delta.verdict]


def _say_score(document: Mapping[str, Any]) -> str:
    score = document["score"]
    return (
        f"Over {', '.join(score['tasks'])}, with the references {score['references']}. The references were reached on"
        " the full SUPERB corpora: on other recordings the score ranks encoders over the same tasks and says no more."
    )


def _layer_shares(document: Mapping[str, Any]) -> Figure | None:
    found: dict[tuple[str, str], list[Sequence[float]]] = {}
    for probe in document["probes"]:
        if probe["layer_weights"]:
            found.setdefault((probe["task"], probe["encoder"]), []).append(probe["layer_weights"])
    if not found:
        return None
    means = {key: [sum(layer) / len(layer) for layer in zip(*shares, strict=True)] for key, shares in found.items()}
    layers = [str(layer) for layer in range(max(map(len, means.values())))]
    labels = [encoder["label"] for encoder in document["encoders"]]
    bands = [
        Band(
            task["name"].upper(),
            layers,
            [(label, means[task["name"], label]) for label in labels if (task["name"], label) in means],
        )
        for task in document["tasks"]
        if any(name == task["name"] for name, _ in means)
    ]
    rows = [(*key, layer, share) for key, shares in means.items() for layer, share in enumerate(shares)]
    drawing = heat_map("Share of each layer in the weighted sum, by task and encoder", bands)
    return Figure(
        "layer-weights", "The stronger the colour, the more; each task has its own scale.", drawing, SHARE_KEYS, rows
    )


SHARE_KEYS = ("task", "encoder", "layer", "share")


def _tried(document: Mapping[str, Any]) -> Listing | None:
    """Every rate that was tried: the mean over seeds of the validation figure that decided."""
    metrics = {task["name"]: task["metrics"][0] for task in document["tasks"]}
    found: dict[tuple[str, str, float], list[float]] = {}
    chosen: set[tuple[str, str, float]] = set()
    for probe in document["probes"]:
        for trial in probe["tried"]:
            key = (probe["task"], probe["encoder"], trial["learning_rate"])
            found.setdefault(key, []).append(trial["valid"][metrics[probe["task"]]["name"]])
            if trial["learning_rate"] == probe["settings"]["learning_rate"]:
                chosen.add(key)
    if not found:
        return None
    data: list[list[Cell]] = [
        [task, encoder, metrics[task]["title"], rate, fmean(values), "tested" if key in chosen else "not tested"]
        for key, values in found.items()
        for task, encoder, rate in [key]
    ]
    rows = [[Entry(f"{cell:.4g}" if isinstance(cell, float) else str(cell)) for cell in row] for row in data]
    return Listing("learning-rates", TRIED_KEYS, rows, TRIED_KEYS, data)


TRIED_KEYS = ("task", "encoder", "metric", "learning rate", "validation figure", "test")
