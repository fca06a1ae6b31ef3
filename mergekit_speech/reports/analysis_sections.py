"""A document of kind `analysis`: feature similarity and weight deviation, as tables and sections of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.reports.bench_table import MINUS
from mergekit_speech.reports.heat import Band, heat_map
from mergekit_speech.reports.listing import markdown_table, rich_table
from mergekit_speech.reports.sections import Cell, Entry, Figure, Listing, Section

if TYPE_CHECKING:
    from rich.console import RenderableType

MEASURES = (("r2", "R²"), ("cka", "linear CKA"), ("cosine", "cosine"))
CAPTION = (
    "Features against those of {base}, layer by layer, over {clips} clips ({frames} frames): R² of a least-squares map"
    " fitted on half of the utterances and scored on the other half, linear CKA, and cosine."
)
KEYS = ("encoder", "layer", *(title for _, title in MEASURES))
PARTS = ("encoder", "part", "distance", "relative distance")
CONNECTED = ("encoder", "α", "layer", "R²", "relative error")


def analysis_table(document: Mapping[str, Any]) -> RenderableType:
    """Rich tables of similarity and deviation."""
    from rich.console import Group
    from rich.text import Text

    return Group(*map(rich_table, _listings(document)), Text(_say(document), style="italic"))


def analysis_markdown(document: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    return "\n\n".join([*map(markdown_table, _listings(document)), _say(document)]) + "\n"


def analysis_sections(document: Mapping[str, Any]) -> list[Section]:
    """What a page says of an analysis."""
    listings = {listing.name: listing for listing in _listings(document)}
    sections = [
        Section(
            "Feature similarity",
            [_say(document), *document["notes"]],
            [_similarity(document)],
            [listings["similarity"]],
        )
    ]
    if "deviation" in listings:
        text = f"‖θ − θ₀‖₂ against {document['base']}, by part; relative to the norm of the part in {document['base']}."
        sections.append(Section("Weight deviation", [text], [_deviation(document)], [listings["deviation"]]))
    if "connectivity" in listings:
        text = "Features of the merged encoder against the same mixture of the features of base and tuned encoder."
        sections.append(Section("Linear connectivity", [text], listings=[listings["connectivity"]]))
    return sections


def plot_nothing(_document: Mapping[str, Any], _folder: Path) -> None:
    """Leaves no files: the page has every figure."""


def _say(document: Mapping[str, Any]) -> str:
    return CAPTION.format(base=document["base"], clips=document["clips"], frames=document["frames"])


def _listings(document: Mapping[str, Any]) -> list[Listing]:
    pairs = document["pairs"]
    similarity = [
        [pair["encoder"], layer["layer"], *(layer[name] for name, _ in MEASURES)]
        for pair in pairs
        for layer in pair["layers"]
    ]
    deviation = [
        [pair["encoder"], part["part"], part["absolute"], part["relative"]]
        for pair in pairs
        for part in pair["weights"]
    ]
    connected = [
        [pair["encoder"], line["alpha"], layer["layer"], layer["r2"], layer["relative_error"]]
        for pair in pairs
        if (line := pair.get("connectivity"))
        for layer in line["layers"]
    ]
    named = (("similarity", KEYS, similarity), ("deviation", PARTS, deviation), ("connectivity", CONNECTED, connected))
    return [_listing(name, keys, data) for name, keys, data in named if data or name == "similarity"]


def _listing(name: str, keys: Sequence[str], data: list[list[Cell]]) -> Listing:
    rows = [[Entry(_show(cell)) for cell in row] for row in data]
    return Listing(name, keys, rows, keys, data, folded=name != "connectivity")


def _show(cell: Cell) -> str:
    return f"{cell:z.4f}".replace("-", MINUS) if isinstance(cell, float) else str("" if cell is None else cell)


def _similarity(document: Mapping[str, Any]) -> Figure:
    layers = _distinct(layer["layer"] for pair in document["pairs"] for layer in pair["layers"])
    bands = [
        Band(
            title,
            layers,
            [
                (pair["encoder"], _in_order(layers, {str(layer["layer"]): layer[name] for layer in pair["layers"]}))
                for pair in document["pairs"]
            ],
            most=1.0,
        )
        for name, title in MEASURES
    ]
    drawing = heat_map("Similarity to the base by layer and encoder", bands)
    data = _listings(document)[0].data
    return Figure("similarity", "The stronger the colour, the nearer to the base; 1 is the same.", drawing, KEYS, data)


def _deviation(document: Mapping[str, Any]) -> Figure:
    parts = _distinct(part["part"] for pair in document["pairs"] for part in pair["weights"])
    rows = [
        (part, [{w["part"]: w["relative"] for w in pair["weights"]}.get(part) for pair in document["pairs"]])
        for part in parts
    ]
    band = Band("relative", [pair["encoder"] for pair in document["pairs"]], rows, digits=4)
    drawing = heat_map("Relative weight deviation by part and encoder", [band])
    data = [
        [pair["encoder"], part["part"], part["absolute"], part["relative"]]
        for pair in document["pairs"]
        for part in pair["weights"]
    ]
    return Figure("deviation", "The stronger the colour, the farther from the base.", drawing, PARTS, data)


def _distinct(items: Any) -> list[str]:
    return list(dict.fromkeys(map(str, items)))


def _in_order(names: Sequence[str], values: Mapping[str, float | None]) -> list[float | None]:
    return [values.get(name) for name in names]
