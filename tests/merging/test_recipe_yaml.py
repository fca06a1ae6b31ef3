"""Recipes in YAML: mergekit's own are understood, and every fault is told with its line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.documents.recipes import MOST_INPUTS
from mergekit_speech.merging.documents.schema import Document, ModelPart, SourcePart
from mergekit_speech.merging.documents.setting_schema import CasePart
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
    Tuned,
)
from mergekit_speech.merging.recipe_yaml import MOST_MERGES, read_recipe
from mergekit_speech.registry import STRATEGIES

BASE, ONE, TWO = Path("base"), Path("one"), Path("two")
TIES = """\
models:
  - model: base
    # no parameters necessary for base model
  - model: one
    parameters:
      density: [1, 0.7, 0.1] # density gradient
      weight: 1.0
  - model: two
    parameters:
      density: 0.33
      weight: [0, 0.3, 0.7, 1] # weight gradient
merge_method: ties
base_model: base
parameters:
  normalize: true
  int8_mask: true
dtype: float16
"""
SLERP = """\
slices:
  - sources:
      - model: base
        layer_range: [0, 12]
      - model: one
        layer_range: [0, 12]
merge_method: slerp
base_model: base
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # fallback for rest of tensors
dtype: float16
"""


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (BASE, ONE, TWO):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)


def read(text: str) -> Recipe:
    path = Path("recipe.yaml")
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def refusal(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix("recipe.yaml: line ").split("; line ")


def test_mergekits_ties_example() -> None:
    assert read(TIES) == Recipe(
        Merge(
            base=BASE,
            tuned=(
                Tuned(ONE, {"density": Gradient((1, 0.7, 0.1)), "weight": 1.0}),
                Tuned(TWO, {"density": 0.33, "weight": Gradient((0, 0.3, 0.7, 1))}),
            ),
            strategy="ties",
            params={"normalize": True},
        ),
        dtype="float16",
    )


def test_mergekits_slerp_example() -> None:
    cases = (
        Case(Gradient((0, 0.5, 0.3, 0.7, 1)), Filter("self_attn")),
        Case(Gradient((1, 0.5, 0.7, 0.3, 0)), Filter("mlp")),
        Case(0.5),
    )
    sources = (SliceSource(BASE, 0, 12), SliceSource(ONE, 0, 12))
    assert read(SLERP) == Recipe(
        Merge(base=BASE, tuned=(), strategy="slerp", params={"t": cases}, slices=(Slice(sources),)), dtype="float16"
    )


def test_mergekits_linear_has_no_base() -> None:
    recipe = read("merge_method: linear\nmodels: [{model: one}, {model: two, parameters: {weight: 2}}]\n")
    assert recipe.merge == Merge(base=None, tuned=(Tuned(ONE), Tuned(TWO, {"weight": 2})))


def test_mergekits_linear_averages_a_base_that_is_listed() -> None:
    text = "merge_method: linear\nbase_model: base\nmodels: [{model: base}, {model: one}]\n"
    assert read(text).merge == Merge(base=None, tuned=(Tuned(BASE), Tuned(ONE)))


def test_linear_with_a_share_of_the_base_has_one() -> None:
    text = "merge_method: linear\nbase_model: base\nmodels: [{model: base}, {model: one}]\nparameters: {alpha: 0.5}\n"
    assert read(text).merge == Merge(base=BASE, tuned=(Tuned(ONE),), params={"alpha": 0.5})


def test_linear_with_a_base_that_is_not_listed_asks_for_its_share() -> None:
    text = "merge_method: linear\nbase_model: base\nmodels: [{model: one}]\n"
    assert refusal(text) == [
        "1: linear needs the setting scale or alpha: Share α of the tuned encoders: 0 gives the base, 1 their mean"
    ]


def test_base_of_a_strategy_that_takes_none_is_one_of_the_encoders() -> None:
    text = "merge_method: karcher\nbase_model: base\nmodels: [{model: base}, {model: one}]\n"
    assert read(text).merge == Merge(base=None, tuned=(Tuned(BASE), Tuned(ONE)), strategy="karcher")
    assert refusal(text.replace("{model: base}, ", "")) == [
        "2: karcher takes no base, came 'base'; list it under models to merge it, or remove base_model"
    ]


def test_optional_base() -> None:
    text = "merge_method: nuslerp\nmodels: [{model: one}, {model: two}]\n"
    assert read(text).merge.base is None
    assert read(f"{text}base_model: base\n").merge.base == BASE


def test_passthrough_of_slices() -> None:
    text = """\
slices:
- sources: [{model: one, layer_range: [0, 8]}]
- sources:
  - model: two
    layer_range: [4, 12]
    parameters: {scale: [{filter: attention, value: 0.0}, {value: 1.0}]}
merge_method: passthrough
dtype: bfloat16
"""
    scale = (Case(0.0, Filter("attention")), Case(1.0))
    assert read(text).merge.slices == (
        Slice((SliceSource(ONE, 0, 8),)),
        Slice((SliceSource(TWO, 4, 12, {"scale": scale}),)),
    )


def test_only_module_is_the_same_as_its_body() -> None:
    body = "models: [{model: one}]\n    parameters: {t: [{filter: attention, value: 0.1}]}"
    text = f"modules:\n  default:\n    {body}\nmerge_method: slerp\nbase_model: base\nparameters: {{t: 0.5}}\n"
    merge = read(text).merge
    assert merge.tuned == (Tuned(ONE),)
    assert merge.params == {"t": (Case(0.1, Filter("attention")), Case(0.5))}


def test_what_speech_adds() -> None:
    text = """\
merge_method: linear
base_model: base
models: [{model: one, statistics: two}]
parameters:
  alpha:
  - regex: "layers\\\\.[0-3]\\\\."
    value: 0.1
  - module: attention
    value: [0.1, 1.5]
  - filter: "encoder.layers.?.final*"
    value: 0.3
  - value: 0.25
  weight: {each: [2]}
strategies:
- {module: cnn, merge_method: ties, parameters: {density: 0.5}}
keep:
  base: ["feature_extractor.*", masked_spec_embed, {module: norm}]
  tuned: [{glob: encoder.layer_norm.weight}]
extrapolate: true
seed: 3
out_dtype: bfloat16
dtype: float32
"""
    recipe = read(text)
    assert recipe.merge == Merge(
        base=BASE,
        tuned=(Tuned(ONE, statistics=TWO),),
        params={
            "alpha": (
                Case(0.1, Filter(r"layers\.[0-3]\.", "regex")),
                Case(Gradient((0.1, 1.5)), Filter("attention", "module")),
                Case(0.3, Filter("encoder.layers.?.final*", "glob")),
                Case(0.25),
            ),
            "weight": [2],
        },
        choices=(Choice(Filter("cnn", "module"), "ties", {"density": 0.5}),),
        keep=(
            Keep(Filter("feature_extractor.*", "glob")),
            Keep(Filter("masked_spec_embed")),
            Keep(Filter("norm", "module")),
            Keep(Filter("encoder.layer_norm.weight", "glob"), "tuned"),
        ),
        extrapolate=True,
    )
    assert (recipe.seed, recipe.dtype) == (3, "bfloat16")


def test_several_merges_in_any_order() -> None:
    text = """\
merge_method: linear
base_model: second
models: [{model: two}]
parameters: {alpha: 0.25}
---
name: second
merge_method: slerp
base_model: first
models: [{model: first}, {model: two}]
parameters: {t: 0.5}
---
name: first
merge_method: linear
models: [{model: one}, {model: two}]
dtype: float16
"""
    recipe = read(text)
    assert recipe.merge.base == Named("second")
    assert list(recipe.named) == ["first", "second"]
    assert recipe.named["second"] == Merge(Named("first"), (Tuned(TWO),), "slerp", {"t": 0.5})
    assert recipe.dtype is None
    assert recipe.inputs == (ONE, TWO)


def test_last_merge_may_have_a_name() -> None:
    recipe = read("name: mine\nmerge_method: linear\nmodels: [{model: one}]\n")
    assert (recipe.merge.tuned, recipe.named) == ((Tuned(ONE),), {})


def test_run_folder_as_a_model() -> None:
    (ONE / "record.json").write_text("{}")
    recipe = read("merge_method: linear\nmodels: [{model: one}]\n")
    assert recipe.merge.tuned == (Tuned(ONE / "encoder"),)


def test_settings_that_are_left_empty() -> None:
    recipe = read("merge_method: linear\nmodels:\n- model: one\n  parameters:\nparameters:\nbase_model:\n")
    assert recipe.merge == Merge(None, (Tuned(ONE),))


def test_every_fault_of_form_is_told_with_its_line() -> None:
    text = """\
merge_methd: ties
base_model: 3
models:
  - model: one
    paramters: {density: 0.5}
  - parameters:
      weight: [0, [1]]
      density: {filter: a, regex: b, value: 1}
      scale: [{filer: a, value: null}, 3]
dtype: float8
tokenizer_source: base
seed: -1
keep: {bse: [], tuned: [{module: cn}, 3]}
strategies:
- merge_method: ties
---
merge_method: ties
slices:
- sources:
  - {model: one, layer_range: [3, 3]}
  - {model: one, layer_range: [3]}
name: a/b
"""
    ways = "filter, regex, module, glob, substring"
    keys = "parameters, strategies, keep, dtype, out_dtype, extrapolate, effective_weight_norm"
    keys = f"{keys}, seed, base_digest, force"
    assert refusal(text) == [
        "1: expected merge_method, which is missing",
        "1: unknown key 'merge_methd' (did you mean 'merge_method'?); expected one of name, merge_method, base_model, "
        f"models, slices, modules, {keys}",
        "2: base_model: input should be a valid string, came 3",
        "5: unknown key 'paramters' (did you mean 'parameters'?); expected one of model, parameters, statistics",
        "6: expected model, which is missing",
        "7: weight: expected a value, a list of values over the layers, or a list of filters with values, "
        "came [0, [1]]",
        f"8: expected one of {ways}, came filter and regex",
        "9: value: expected a value or a list of values over the layers, came None",
        f"9: unknown key 'filer' (did you mean 'filter'?); expected one of {ways}, value",
        "9: 1: expected a mapping, came 3",
        "10: dtype: input should be 'float16', 'bfloat16', 'float32' or 'float64', came 'float8'",
        "11: 'tokenizer_source' means nothing for speech encoders, which have no tokenizer to merge; remove it",
        "12: seed: input should be greater than or equal to 0, came -1",
        "13: module: input should be 'cnn', 'projection', 'positional', 'attention', 'feed_forward' or 'norm', "
        "came 'cn'",
        "13: 1: expected a filter, or a key such as module, came 3",
        "13: unknown key 'bse' (did you mean 'base'?); expected one of base, tuned",
        f"15: expected one of {ways}, came none",
        "20: expected a layer_range of one layer or more, came [3, 3]",
        "21: layer_range: list should have at least 2 items after validation, not 1, came [3]",
        "22: name: string should match pattern '^\\w[\\w. -]*$', came 'a/b'",
    ]


def test_every_fault_of_content_is_told_with_its_line() -> None:
    text = """\
name: first
merge_method: ties
models:
  - model: one
    parameters: {densty: 0.5, weight: much, density: {filter: x, value: [0.5, 3]}}
  - model: thre@main
  - model: one+adapter
  - model: tow
    statistics: nowhere
strategies:
- {regex: "(", merge_method: nuslerp}
- {module: cnn, merge_method: tis}
keep: {base: ["x*"], tuned: [{regex: "*"}]}
parameters: {t: [{filter: "", value: 1}]}
"""
    missing = "which does not exist"
    folder = "expected a checkpoint, or the name of another merge in this file, came"
    assert refusal(text) == [
        "2: ties needs base_model, which is missing",
        "5: ties has no setting 'densty' (did you mean 'density'?); it has: density, weight, scale, normalize, trim",
        "5: ties: expected a finite number as weight, came 'much'",
        "5: ties: expected density between 0 and 1, came 3",
        "5: nuslerp: expected a finite number as weight, came 'much'",
        f"6: {folder} 'thre@main', {missing}; download that revision and give its folder",
        f"7: {folder} 'one+adapter', {missing}; give the adapter's own folder as the model",
        f"8: {folder} 'tow', {missing}; relative paths begin at the working directory",
        f"9: expected a folder of statistics, came 'nowhere', {missing}; make it with `msm statistics`",
        "11: expected a regular expression, came '(': missing ), unterminated subpattern at position 0",
        "12: expected a strategy, came 'tis' (did you mean 'ties'?); there are: " + ", ".join(STRATEGIES.names()),
        "13: expected a regular expression, came '*': nothing to repeat at position 0",
        "13: expected a base to keep parameters from, came none; give base_model",
        "13: expected one tuned encoder to keep parameters from, came 4",
        "14: expected a substring that a parameter's name can match, came an empty one",
        "14: ties has no setting 't'; it has: density, weight, scale, normalize, trim",
    ]


def test_faults_of_slices_are_told_with_their_lines() -> None:
    text = """\
merge_method: slerp
base_model: base
slices:
- sources:
  - {model: one, layer_range: [0, 2]}
- sources:
  - {model: base, layer_range: [0, 2], parameters: {t: 0.5}}
  - {model: one, layer_range: [0, 2], parameters: {t: 0.5}}
  parameters: {t: [{value: 0.5}, {value: 2}]}
- sources: [{model: base, layer_range: [0, 2]}]
"""
    assert refusal(text) == [
        "1: slerp needs the setting t: Share of the arc: 0 gives the base, 1 the tuned encoder",
        "4: expected layers of the base 'base' among the sources of the slice, came none",
        "8: t holds for all encoders: set it once",
        "9: slerp: expected t between 0 and 1, came 2; set extrapolate to go beyond",
        "10: expected exactly 1 tuned encoder for slerp, came 0",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected 1 to 64 merges, came 0"),
        ("---\n" * 65, "expected 1 to 64 merges, came 65"),
        ("~", "line 1: expected merge_method, models and so on, came None"),
        ("- 3", "line 1: expected merge_method, models and so on, came [3]"),
        ("a: [", "line 1: expected YAML, came while parsing a flow node"),
        ("models: []\nmerge_method: ties\nbase_model: b", "line 1: models: list should have at least 1 item"),
        ("seed: 1\nseed: 2", "line 1: expected 'seed' once, came again in line 2"),
        ("merge_method: linear", "line 1: expected exactly one of models, slices, modules, came none"),
        (
            "merge_method: linear\nmodels: [{model: one}]\nslices: [{sources: [{model: one, layer_range: [0, 1]}]}]",
            "line 1: expected exactly one of models, slices, modules, came models and slices",
        ),
        (
            "merge_method: linear\nmodules: {a: {models: [{model: one}]}, b: {models: [{model: one}]}}",
            "line 1: expected one module, as encoders have no more, came a, b",
        ),
        (
            "merge_method: linear\nmodules: {a: {}}",
            "line 2: expected exactly one of models, slices, came none",
        ),
        (
            "merge_method: ties\nbase_model: one\nmodels: [{model: one}]",
            "line 3: expected 1 or more tuned encoders for ties, came 0",
        ),
        ("merge_method: linear\nmodels: [{model: ''}]", "line 2: expected a checkpoint, or the name of another merge"),
        (f"merge_method: linear\nmodels: [{{model: {'x' * 5000}}}]", "line 2: expected a checkpoint, or the name of"),
        ("!!python/object/apply:os.system ['true']", "expected plain values, came the tag"),
    ],
)
def test_refusals(text: str, complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(text)
    assert complaint in str(caught.value)


def documents(*each: str) -> str:
    return "\n---\n".join(f"merge_method: linear\n{text}" for text in each)


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (
            documents("models: [{model: one}]", "models: [{model: two}]"),
            ["4: expected a name for every merge but one, came none here and in document 1"],
        ),
        (
            documents("name: a\nmodels: [{model: one}]", "name: a\nmodels: [{model: two}]", "models: [{model: a}]"),
            ["6: expected the name 'a' once, came again from document 1"],
        ),
        (
            documents("name: a\nmodels: [{model: b}]", "name: b\nmodels: [{model: a}]", "models: [{model: a}]"),
            ["2: expected merges that need only earlier ones, came 'a' → 'b' → 'a'"],
        ),
        (
            documents("name: a\nmodels: [{model: one}]\nseed: 1\nbase_digest:", "models: [{model: one}]"),
            [
                "2: expected a merge that uses 'a', came none; remove this one",
                "4: expected seed in the merge without a name only, came it here",
                "5: expected base_digest in the merge without a name only, came it here",
            ],
        ),
    ],
)
def test_faults_of_several_merges(text: str, complaints: list[str]) -> None:
    assert refusal(text) == complaints


def test_merges_that_would_be_written_out_without_end() -> None:
    doubled = [f"name: m{n}\nmodels: [{{model: m{n - 1}}}, {{model: k{n - 1}}}]" for n in range(1, 12)]
    other = [f"name: k{n}\nmodels: [{{model: m{n - 1}}}, {{model: k{n - 1}}}]" for n in range(1, 12)]
    start = ["name: m0\nmodels: [{model: one}]", "name: k0\nmodels: [{model: two}]"]
    text = documents(*start, *doubled, *other, "models: [{model: m11}, {model: k11}]")
    assert f"expected at most {MOST_INPUTS} inputs with those of the merges that it uses, came 512" in refusal(text)[0]
    assert len(start + doubled + other) < MOST_MERGES


KEYS = {key for part in (Document, ModelPart, SourcePart, CasePart) for key in part.model_fields}
WORDS = st.sampled_from(sorted(KEYS)) | st.sampled_from(
    ["one", "two", "base", "x", "linear", "ties", "slerp", "karcher", "alpha", "weight", "t", "each", "tuned", "(", "*"]
)
LEAVES = WORDS | st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(WORDS, TREES, max_size=6), st.booleans())
def test_any_document_is_read_or_refused(document: dict[str, Any], complete: bool) -> None:
    if complete:
        document = {"merge_method": "linear", "models": [{"model": "one"}], **document}
    with contextlib.suppress(RecipeError):
        assert isinstance(read(yaml.safe_dump(document)), Recipe)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["alpha", "weight", "normalize", "x"]), TREES, max_size=3))
def test_any_settings_are_read_or_refused(parameters: dict[str, Any]) -> None:
    document = {"merge_method": "linear", "base_model": "base", "models": [{"model": "one", "parameters": parameters}]}
    with contextlib.suppress(RecipeError):
        read(json.dumps({**document, "parameters": parameters}))
