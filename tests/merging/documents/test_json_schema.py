"""The JSON Schema agrees with what is read: on the shipped recipes, on mergekit's, and on mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mergekit_speech.merging.documents.json_schema import recipe_json_schema
from mergekit_speech.merging.ready import RECIPES
from mergekit_speech.registry import STRATEGIES

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
SCHEMA = recipe_json_schema({name: STRATEGIES.load(name) for name in STRATEGIES.names()})
FINE = """\
merge_method: ties
base_model: base
models:
- model: one
  parameters: {density: [1, 0.5], lambda: {value: 1}, weight: [{filter: x, value: 1}, {value: [0, 1]}]}
parameters: {int8_mask: true, weight: {each: [1]}}
strategies: [{module: cnn, merge_method: linear, parameters: {alpha: 0.1}}]
keep: {base: ["x*", {module: norm}]}
"""


def errors(schema: Any, value: Any, place: str = "") -> Iterator[str]:
    """The part of JSON Schema that the recipes' schema uses."""
    if "$ref" in schema:
        yield from errors(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value, place)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        yield f"{place}: no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: not one of"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: other"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{place}: pattern"
    for way, fits in (("anyOf", range(1, 99)), ("oneOf", range(1, 2))):
        passing = [each for each in schema.get(way, ()) if not list(errors(each, value, place))]
        if way in schema and len(passing) not in fits:
            yield f"{place}: {way}"
    for each in schema.get("allOf", ()):
        applies = "if" not in each or not list(errors(each["if"], value, place))
        yield from errors(each.get("then", each) if applies else {}, value, place)
    if isinstance(value, dict):
        yield from object_errors(schema, value, place)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{place}: items"
        for index, item in enumerate(value):
            yield from errors(schema.get("items", {}), item, f"{place}/{index}")


def object_errors(schema: Any, value: dict[str, Any], place: str) -> Iterator[str]:
    known = schema.get("properties", {})
    yield from (f"{place}: lacks {key}" for key in schema.get("required", ()) if key not in value)
    for key, item in value.items():
        yield from errors(schema.get("propertyNames", {}), key, f"{place}/{key}")
        other = schema.get("additionalProperties", {})
        if key not in known and other is False:
            yield f"{place}/{key}: unknown"
        yield from errors(known.get(key, other or {}), item, f"{place}/{key}")


@pytest.mark.parametrize("name", RECIPES.names())
def test_shipped_recipes_are_valid(name: str) -> None:
    for document in yaml.safe_load_all(RECIPES.text(name)):
        assert list(errors(SCHEMA, document)) == []


def test_every_form_of_a_setting_is_valid() -> None:
    assert list(errors(SCHEMA, yaml.safe_load(FINE))) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("merge_method: ties", "merge_methd: ties", "/merge_methd"),
        ("merge_method: ties", "merge_method: tis", "/merge_method"),
        ("density: [1", "densty: [1", "/models/0/parameters/densty"),
        ("lambda: {value: 1}", "lambda: {valu: 1}", "/models/0/parameters/lambda"),
        ("module: cnn", "module: cn", "/strategies/0/module"),
        ("alpha: 0.1", "density: 0.1", "/strategies/0/parameters/density"),
        ("keep: {base", "keep: {bse", "/keep"),
        ("- model: one", "- modl: one", "/models"),
    ],
)
def test_mistakes_are_marked_where_they_are(old: str, new: str, place: str) -> None:
    document = yaml.safe_load(FINE.replace(old, new, 1))
    assert place in {each.partition(":")[0] for each in errors(SCHEMA, document)}


def test_settings_are_described() -> None:
    settings = SCHEMA["$defs"]["settings_of_ties"]
    assert (
        settings["properties"]["density"]["description"] == "Fraction of each delta that is kept. 0 … 1. Default 1.0."
    )
    assert settings["properties"]["lambda"] == settings["properties"]["scale"]
    assert "One of tensor, model." in settings["properties"]["trim"]["description"]


def test_every_key_of_a_recipe_is_described() -> None:
    described = {key: part for key, part in SCHEMA["properties"].items() if key != "parameters"}
    assert {key for key, part in described.items() if "description" not in part} == set()
