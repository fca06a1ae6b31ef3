"""Recipes in YAML: mergekit's own run, and every fault is told with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.recipe import Encoder, Recipe
from mergekit_speech.merging.recipe_yaml import read_recipe

TIES = """\
models:
  - model: base
    # no parameters necessary for base model
  - model: one
    parameters:
      density: 0.5
      weight: 0.5
  - model: two
    parameters:
      density: 0.5
      weight: 0.3
merge_method: ties
base_model: base
parameters:
  normalize: true
  int8_mask: true
dtype: float16
"""


def read(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def refusal(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{tmp_path / 'recipe.yaml'}: ").split("; line ")


def test_mergekits_ties_example(tmp_path: Path) -> None:
    assert read(tmp_path, TIES) == Recipe(
        base=Path("base"),
        tuned=(
            Encoder(Path("one"), {"density": 0.5, "weight": 0.5}),
            Encoder(Path("two"), {"density": 0.5, "weight": 0.3}),
        ),
        strategy="ties",
        params={"normalize": True},
        dtype="float16",
    )


def test_mergekits_linear_has_no_base(tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels:\n- model: one\n- model: two\n  parameters: {weight: 2}\nout_dtype: bfloat16\n"
    recipe = read(tmp_path, text)
    assert recipe.base == Path("one")
    assert [encoder.path for encoder in recipe.tuned] == [Path("one"), Path("two")]
    assert recipe.params == {"scale": 1.0}
    assert recipe.dtype == "bfloat16"


def test_what_speech_adds(tmp_path: Path) -> None:
    text = """\
merge_method: linear
base_model: base
models: [{model: one}]
parameters: {alpha: 1.5}
keep: {base: ["feature_extractor.*"]}
extrapolate: true
seed: 3
"""
    recipe = read(tmp_path, text)
    assert recipe.params == {"alpha": 1.5}
    assert (recipe.keep, recipe.extrapolate, recipe.seed) == (("feature_extractor.*",), True, 3)


def test_run_folder_as_a_model(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    recipe = read(tmp_path, f"merge_method: linear\nbase_model: base\nmodels: [{{model: {str(tmp_path)!r}}}]\n")
    assert recipe.tuned[0].path == tmp_path / "encoder"


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    text = """\
merge_methd: ties
base_model: 3
models:
  - model: one
    paramters: {density: 0.5}
  - parameters:
      weight: [0, 1]
dtype: float8
tokenizer_source: base
slices: []
keep: {bse: []}
"""
    assert sorted(refusal(tmp_path, text)) == sorted(
        [
            "line 1: expected merge_method, which is missing",
            "2: base_model: input should be a valid string, came 3",
            "5: unknown key 'paramters' (did you mean 'parameters'?); expected one of parameters, model",
            "6: expected model, which is missing",
            "7: expected a single value of weight, came [0, 1]; values over layers and filters are not understood",
            "8: dtype: input should be 'float16', 'bfloat16', 'float32' or 'float64', came 'float8'",
            "1: unknown key 'merge_methd' (did you mean 'merge_method'?); expected one of parameters, merge_method, "
            "base_model, models, dtype, out_dtype, keep, extrapolate, seed",
            "9: 'tokenizer_source' means nothing for speech encoders, which have no tokenizer to merge; remove it",
            "10: 'slices' is not understood; list whole encoders under 'models'",
            "11: unknown key 'bse' (did you mean 'base'?); expected one of base",
        ]
    )


def test_settings_are_checked_with_their_lines(tmp_path: Path) -> None:
    text = TIES.replace("density: 0.5\n      weight: 0.3", "densty: 0.5\n      weight: much")
    text = text.replace("normalize: true", "normalize: 1")
    assert refusal(tmp_path, text) == [
        "line 10: ties has no setting 'densty' (did you mean 'density'?); "
        "it has: density, weight, scale, normalize, trim",
        "11: ties: expected a finite number as weight, came 'much'",
        "15: ties: expected true or false as normalize, came 1",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: expected merge_method, models and so on, came None"),
        ("- 3", "line 1: expected merge_method, models and so on, came [3]"),
        ("a: [", "line 1: expected YAML, came while parsing a flow node"),
        ("merge_method: tis\nmodels: [{model: a}]", "line 1: expected a strategy, came 'tis' (did you mean 'ties'?)"),
        ("models: [{model: a}]\nmerge_method: ties", "line 2: ties needs base_model, which is missing"),
        ("merge_method: ties\nmodels: []\nbase_model: b", "line 2: models: list should have at least 1 item"),
        ("seed: 1\nseed: 2", "line 2: expected 'seed' once, came again in line 2"),
        (
            "merge_method: ties\nbase_model: a\nmodels: [{model: a}]",
            "line 3: expected 1 or more tuned encoders for ties",
        ),
        ("!!python/object/apply:os.system ['true']", "expected YAML, came could not determine a constructor"),
    ],
)
def test_refusals(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, text)
    assert complaint in str(caught.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*: .*No such file or directory.*; check the path"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*: 'utf-8' codec"):
        read_recipe(tmp_path / "binary.yaml")


def test_huge_file(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_bytes(b"#" * (1 << 20 | 1))
    with pytest.raises(RecipeError, match="expected a recipe of at most 1048576 bytes, came 1048577 in"):
        read_recipe(tmp_path / "huge.yaml")


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("a:-[]{}&*!|>'\"\n #0.tru\u0085"), max_size=40) | st.text(max_size=30))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "replace"))
    with contextlib.suppress(RecipeError):
        read_recipe(path)
