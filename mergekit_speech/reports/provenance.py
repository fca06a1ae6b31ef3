"""The foot of a page: where its figures come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mergekit_speech.reports.sections import Entry, Listing, Section


def provenance(document: Mapping[str, Any], title: str = "Provenance") -> Section:
    """Encoders, data and versions of any kind of report."""
    listings = [_encoders(document)]
    if document.get("tasks"):
        listings.append(_tasks(document))
    listings.append(_versions(document))
    folded = [
        (f"What made {encoder['label']}", _say_origin(encoder["origin"]))
        for encoder in document["encoders"]
        if encoder["origin"]
    ]
    engines = sorted({probe["engine"] for probe in document.get("probes", ())})
    text = [f"Data: {document['data']}."]
    if engines:
        text.append(f"Engine: {', '.join(engines)}. Seeds: {', '.join(map(str, document['seeds']))}.")
    return Section(title, text, listings=listings, folded=folded)


def _encoders(document: Mapping[str, Any]) -> Listing:
    keys = ("encoder", "source", "digest", "hidden states", "dimensions", "parameters")
    data = [
        [encoder[name] for name in ("label", "source", "digest", "depth", "dim", "parameters")]
        for encoder in document["encoders"]
    ]
    return _plain("encoders", keys, data)


def _say_origin(origin: Mapping[str, Any]) -> str:
    recipe = origin.get("recipe")
    return recipe if isinstance(recipe, str) else json.dumps(origin, indent=2, ensure_ascii=False)


def _tasks(document: Mapping[str, Any]) -> Listing:
    keys = ("task", "train / valid / test", "training", "manifest")
    data = [
        [
            task["name"],
            " / ".join(str(task["clips"][split]) for split in ("train", "valid", "test")),
            _say_settings(task["settings"]),
            task["manifest"],
        ]
        for task in document["tasks"]
    ]
    return _plain("tasks", keys, data)


def _say_settings(settings: Mapping[str, Any] | None) -> str:
    if settings is None:
        return "no head"
    return (
        f"{settings['steps']} steps of {settings['clips']} × {settings['accumulate']} clips,"
        f" rate {settings['learning_rate']:g}"
    )


def _versions(document: Mapping[str, Any]) -> Listing:
    return _plain("versions", ("package", "version"), list(document["versions"].items()))


def _plain(name: str, keys: tuple[str, ...], data: list[Any]) -> Listing:
    rows = [
        [Entry(str(cell), "long" if len(str(cell)) > 30 and " " not in str(cell) else "") for cell in row]
        for row in data
    ]
    return Listing(name, keys, rows, keys, data)
