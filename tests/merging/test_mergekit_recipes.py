"""Recipes as mergekit's documentation has them run unchanged on folders of HuBERT, and give what they say.

Source: https://github.com/arcee-ai/mergekit, README, docs/merge_methods.md, docs/multimerge.md and examples/.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from mergekit_speech import merge_state_dicts
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.merging.recipe_yaml import read_recipe
from tests.merging.recipes import TIES_WITH_GRADIENTS

State = Mapping[str, npt.NDArray[Any]]
NAMES = ("base", "one", "two")
QUERY = "encoder.layers.{}.attention.q_proj.weight"
DENSE = "encoder.layers.{}.feed_forward.output_dense.weight"
OUTSIDE = "feature_projection.projection.weight"


@pytest.fixture(autouse=True)
def encoders(tiny_hubert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, State]:
    """A base and two encoders that were tuned from it, in the working directory, and their weights."""
    monkeypatch.chdir(tmp_path)
    start = load_file(tiny_hubert / "model.safetensors")
    found: dict[str, State] = {}
    for seed, name in enumerate(NAMES):
        shutil.copytree(tiny_hubert, tmp_path / name)
        rng = np.random.default_rng(seed)
        noise = {key: 0.01 * seed * rng.standard_normal(value.shape) for key, value in start.items()}
        found[name] = {key: (value + noise[key]).astype(np.float32) for key, value in start.items()}
        save_file(dict(found[name]), tmp_path / name / "model.safetensors", {"format": "pt"})
    return found


def merge(text: str) -> State:
    path = Path("recipe.yml")
    path.write_text(text, encoding="utf-8")
    run_plan(make_plan(read_recipe(path)), Path("merged"), overwrite=True)
    return load_file("merged/model.safetensors")


def expect(encoders: dict[str, State], name: str, strategy: str, **params: Any) -> npt.NDArray[Any]:
    base, *tuned = ({name: encoders[each][name]} for each in NAMES)
    if strategy in ("slerp", "nearswap", "arcee_fusion"):
        tuned = tuned[:1]
    found: npt.NDArray[Any] = merge_state_dicts(base, tuned, strategy=strategy, **params)[name]
    return found


def test_slerp_with_gradients_and_filters(encoders: dict[str, State]) -> None:
    # Only the names of parts are those of HuBERT, in place of self_attn and mlp.
    merged = merge("""\
slices:
  - sources:
      - model: base
        layer_range: [0, 2]
      - model: one
        layer_range: [0, 2]
merge_method: slerp
base_model: base
parameters:
  t:
    - filter: attention
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: feed_forward
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # fallback for rest of tensors
dtype: float32
""")
    for name, t in ((QUERY.format(0), 0.0), (QUERY.format(1), 1.0), (DENSE.format(0), 1.0), (DENSE.format(1), 0.0)):
        np.testing.assert_array_equal(merged[name], expect(encoders, name, "slerp", t=t))
    np.testing.assert_array_equal(merged[OUTSIDE], expect(encoders, OUTSIDE, "slerp", t=0.5))


def test_ties_with_gradients(encoders: dict[str, State]) -> None:
    merged = merge(TIES_WITH_GRADIENTS)
    for name, density, weight in (
        (QUERY.format(0), 1, 0),
        (QUERY.format(1), 0.1, 0),
        (DENSE.format(0), 1, 0.5),
        (DENSE.format(1), 0.1, 0.5),
        (OUTSIDE, 1, 0),
    ):
        expected = expect(encoders, name, "ties", density=[density, 0.33], weight=[1.0, weight])
        np.testing.assert_array_equal(merged[name], expected)


@pytest.mark.parametrize("strategy", ["dare_ties", "dare_linear", "della", "della_linear", "breadcrumbs_ties", "sce"])
def test_methods_on_deltas(encoders: dict[str, State], strategy: str) -> None:
    own = "" if strategy == "sce" else "    parameters:\n      density: 0.53\n      weight: 0.4\n"
    merged = merge(f"""\
models:
  - model: base
    # No parameters necessary for base model
  - model: one
{own}  - model: two
{own}merge_method: {strategy}
base_model: base
parameters:
  int8_mask: true
dtype: float32
""")
    params = {} if strategy == "sce" else {"density": 0.53, "weight": 0.4}
    np.testing.assert_array_equal(merged[OUTSIDE], expect(encoders, OUTSIDE, strategy, **params))


def test_passthrough_of_slices(encoders: dict[str, State]) -> None:
    merged = merge("""\
slices:
- sources:
  - model: one
    layer_range: [0, 2]
- sources:
  - model: two
    layer_range: [1, 2]
merge_method: passthrough
dtype: float32
""")
    assert json.loads(Path("merged/config.json").read_text())["num_hidden_layers"] == 3
    for layer, name, source in ((0, "one", 0), (1, "one", 1), (2, "two", 1)):
        np.testing.assert_array_equal(merged[QUERY.format(layer)], encoders[name][QUERY.format(source)])
    np.testing.assert_array_equal(merged[OUTSIDE], encoders["one"][OUTSIDE])


def test_stack_of_layers_loads_in_transformers() -> None:
    from transformers import AutoModel

    merge("""\
slices:
- sources: [{model: one, layer_range: [0, 2]}]
- sources: [{model: one, layer_range: [0, 2]}]
merge_method: passthrough
""")
    model, report = AutoModel.from_pretrained("merged", output_loading_info=True)
    assert model.config.num_hidden_layers == 4
    assert not report["missing_keys"]


def test_model_stock(encoders: dict[str, State]) -> None:
    merged = merge("""\
models:
  - model: base
  - model: one
  - model: two
merge_method: model_stock
base_model: base
dtype: float32
""")
    np.testing.assert_array_equal(merged[OUTSIDE], expect(encoders, OUTSIDE, "model_stock"))


def test_linear_is_a_mean_of_what_is_listed(encoders: dict[str, State]) -> None:
    merged = merge("""\
models:
  - model: base
    parameters:
      weight: 1.0
  - model: one
    parameters:
      weight: 0.3
  - model: two
    parameters:
      weight: 0.5
merge_method: linear
base_model: base
dtype: float32
""")
    expected = (encoders["base"][OUTSIDE] + 0.3 * encoders["one"][OUTSIDE] + 0.5 * encoders["two"][OUTSIDE]) / 1.8
    np.testing.assert_allclose(merged[OUTSIDE], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("strategy", "params"), [("arcee_fusion", {}), ("nearswap", {"t": 0.001})])
def test_methods_of_a_base_and_another(encoders: dict[str, State], strategy: str, params: dict[str, float]) -> None:
    merged = merge(f"""\
models:
  - model: base
  - model: one
merge_method: {strategy}
base_model: base
parameters: {json.dumps(params)}
dtype: float32
""")
    np.testing.assert_array_equal(merged[OUTSIDE], expect(encoders, OUTSIDE, strategy, **params))


def test_several_merges_of_one_file(encoders: dict[str, State]) -> None:
    merged = merge("""\
name: first-merge
merge_method: linear
models:
  - model: one
  - model: two
dtype: float32
---
name: second-merge
merge_method: slerp
base_model: base
models:
  - model: one
parameters:
  t: 0.5
dtype: float32
---
merge_method: linear
models:
  - model: first-merge
  - model: second-merge
dtype: float32
""")
    first = (encoders["one"][OUTSIDE] + encoders["two"][OUTSIDE]) / 2
    second = expect(encoders, OUTSIDE, "slerp", t=0.5)
    np.testing.assert_allclose(merged[OUTSIDE], (first + second) / 2, rtol=1e-5, atol=1e-7)
    assert {path.name for path in Path().iterdir()} == {*NAMES, "merged", "recipe.yml"}


def test_files_of_weights_as_mergekit_pytorch_takes_them(encoders: dict[str, State]) -> None:
    merged = merge("""\
models:
  - model: one/model.safetensors
  - model: two/model.safetensors
merge_method: linear
dtype: float32
""")
    expected = (encoders["one"][OUTSIDE] + encoders["two"][OUTSIDE]) / 2
    np.testing.assert_allclose(merged[OUTSIDE], expected, rtol=1e-5, atol=1e-7)
