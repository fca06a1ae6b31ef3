"""Recipes that are written read back the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mergekit_speech.merging.filters import MODULES
from mergekit_speech.merging.recipe import (
    Case,
    Choice,
    Filter,
    Gradient,
    Keep,
    Merge,
    Named,
    Recipe,
    Slice,
    SliceSource,
    Source,
    Tuned,
)
from mergekit_speech.merging.recipe_write import write_recipe
from mergekit_speech.merging.recipe_yaml import read_recipe

FOLDERS = ("base", "no", "1e3", "a b: #'é\"", "[x]", "-", "two, three", "\u2028")
NAMES = ("first", "true", "2024-01-01", "a b.c")
DIGEST = f"blake3:{'0a' * 32}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with names that YAML would take for something else."""
    root = tmp_path_factory.mktemp("written").resolve()
    for name in FOLDERS:
        (root / name).mkdir()
    return [root / name for name in FOLDERS]


def filters() -> st.SearchStrategy[Filter]:
    text = st.text(min_size=1, max_size=6)
    return st.one_of(
        text.map(lambda each: Filter(each, "substring")),
        text.map(lambda each: Filter(each, "glob")),
        text.map(lambda each: Filter(re.escape(each), "regex")),
        st.sampled_from(list(MODULES)).map(lambda each: Filter(each, "module")),
    )


def levels(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    gradual = values | st.lists(values, min_size=1, max_size=3).map(lambda each: Gradient(tuple(each)))
    cases = st.lists(st.builds(Case, gradual, st.none() | filters()), min_size=1, max_size=2).map(tuple)
    return gradual | cases


def params(encoders: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    numbers = st.floats(0, 1) | st.integers(0, 1)
    each = st.lists(numbers, min_size=encoders, max_size=encoders) if encoders else st.nothing()
    own = {"density": levels(numbers) | each, "weight": levels(numbers) | each}
    common = {"normalize": levels(st.booleans()), "trim": levels(st.sampled_from(["tensor", "model"]))}
    return st.fixed_dictionaries({}, optional=own | (common if encoders else {}))


@st.composite
def merges(draw: st.DrawFn, sources: list[Source]) -> Merge:
    base, *tuned = draw(st.permutations(sources))
    choices = st.builds(Choice, filters(), st.just("linear"), st.fixed_dictionaries({"alpha": levels(st.floats(0, 1))}))
    sides = st.sampled_from(["base", "tuned"] if len(tuned) == 1 else ["base"])
    keep = draw(st.lists(st.builds(Keep, filters(), sides), max_size=3))
    common: dict[str, Any] = {
        "base": base,
        "strategy": "ties",
        "params": draw(params(len(tuned))),
        "choices": tuple(draw(st.lists(choices, max_size=2))),
        "keep": tuple(sorted(keep, key=lambda each: each.side)),
        "extrapolate": draw(st.booleans()),
        "effective_weight_norm": draw(st.booleans()),
    }
    if draw(st.booleans()):
        folders = st.none() | st.sampled_from([each for each in sources if isinstance(each, Path)])
        return Merge(tuned=tuple(Tuned(each, draw(params()), draw(folders)) for each in tuned), **common)
    return Merge(tuned=(), slices=tuple(draw(st.lists(slices([base, *tuned]), min_size=1, max_size=2))), **common)


@st.composite
def slices(draw: st.DrawFn, sources: list[Source]) -> Slice:
    first, count = draw(st.integers(0, 20)), draw(st.integers(1, 12))
    listed = tuple(SliceSource(each, first, first + count, draw(params())) for each in sources)
    return Slice(listed, draw(params(len(sources) - 1)), draw(st.none() | st.just(sources[0])))


@st.composite
def recipes(draw: st.DrawFn, folders: list[Path]) -> Recipe:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
    named: dict[str, Merge] = {}
    inputs = st.lists(st.sampled_from(folders), min_size=2, max_size=3, unique=True)
    before: list[Source] = []
    for name in names:
        named[name] = draw(merges([*before, *draw(inputs)]))
        before = [Named(name)]
    return Recipe(
        merge=draw(merges([*before, *draw(inputs)])),
        named=named,
        dtype=draw(st.sampled_from([None, "float16", "float64"])),
        seed=draw(st.integers(0, 2**63 - 1)),
        force=draw(st.booleans()),
        base_digest=draw(st.sampled_from([None, DIGEST])),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_written_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, folders: list[Path], data: st.DataObject
) -> None:
    recipe = data.draw(recipes(folders))
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    text = write_recipe(recipe)
    path.write_text(text, encoding="utf-8")
    again = read_recipe(path)
    assert again == recipe
    assert list(again.named) == list(recipe.named)
    assert write_recipe(again) == text


@given(
    st.text() | st.sampled_from(["no", "ON", "null", "1e-4", "-", "~", "\x85", "\ufeff", "\U0001f600", "a: b", "\\"])
)
def test_any_word_is_the_same_for_readers_of_yaml_1_1(word: str) -> None:
    merge = Merge(None, (Tuned(Named("a")),), params={"word": word, word: 1})
    assert yaml.safe_load(write_recipe(Recipe(merge)))["parameters"] == {"word": word, word: 1}


@given(st.floats(allow_nan=False) | st.integers() | st.booleans())
def test_any_number_is_the_same_for_readers_of_yaml_1_1(number: float) -> None:
    merge = Merge(None, (Tuned(Named("a")),), params={"number": number})
    found = yaml.safe_load(write_recipe(Recipe(merge)))["parameters"]["number"]
    assert (found, type(found)) == (number, type(number))


def test_the_form_that_is_written(folders: list[Path]) -> None:
    recipe = Recipe(
        Merge(
            Named("first"),
            (Tuned(folders[0], {"weight": (Case(Gradient((0, 0.5)), Filter("cnn", "module")), Case(1e-05))}),),
            params={"scale": 2.0, "density": [0.5]},
            choices=(Choice(Filter("a*", "glob"), "linear", {"alpha": 0.1}),),
            keep=(Keep(Filter("b?", "glob")), Keep(Filter("c", "glob"))),
            strategy="ties",
        ),
        {"first": Merge(None, (Tuned(folders[0]), Tuned(folders[1])))},
        seed=3,
    )
    assert (
        write_recipe(recipe)
        == f"""\
name: first
merge_method: linear
models:
  - model: {folders[0]}
  - model: {folders[1]}
---
merge_method: ties
base_model: first
models:
  - model: {folders[0]}
    parameters:
      weight:
        - module: cnn
          value: [0, 0.5]
        - value: 1.0e-05
parameters:
  scale: 2.0
  density:
    each: [0.5]
strategies:
  - filter: "a*"
    merge_method: linear
    parameters:
      alpha: 0.1
keep:
  base:
    - "b?"
    - glob: c
seed: 3
"""
    )
