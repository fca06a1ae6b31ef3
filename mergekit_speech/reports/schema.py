"""The JSON Schema of `results.json`."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def results_schema() -> dict[str, Any]:
    """The schema of every kind of results, JSON Schema 2020-12."""
    text = (files("mergekit_speech.reports") / "results.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
