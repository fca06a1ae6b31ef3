"""One recipe, given to mergekit and to `msm merge` as it is, on folders of `HubertForCTC`, gives the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.merging.recipe_yaml import read_recipe
from tests.conftest import TINY
from tests.merging.recipes import TIES_WITH_GRADIENTS
from tests.peers.tensors import State, assert_same

CNN = "hubert.feature_extractor."
RECIPES = {
    "linear": """\
models:
  - model: one
    parameters:
      weight: 1.0
  - model: two
    parameters:
      weight: [0.3, 0.9]
merge_method: linear
dtype: float32
""",
    "slerp": """\
models:
  - model: base
  - model: one
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
""",
    "ties": TIES_WITH_GRADIENTS,
    "model_stock": """\
models:
  - model: base
  - model: one
  - model: two
merge_method: model_stock
base_model: base
dtype: float32
""",
    "passthrough": """\
models:
  - model: one
    parameters:
      scale:
        - filter: layers.1.
          value: 0.5
        - value: 1.0
merge_method: passthrough
dtype: float32
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base`, `one` and `two`, as transformers saves them."""
    import torch
    from transformers import AutoConfig, AutoModelForCTC

    place = tmp_path_factory.mktemp("ctc")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCTC.from_config(
            AutoConfig.for_model("hubert", **TINY | {"num_hidden_layers": 3, "vocab_size": 8})
        )
        start = {name: value.clone() for name, value in model.state_dict().items()}
        for number, name in enumerate(("base", "one", "two")):
            noise = {key: 0.01 * number * torch.randn_like(value) for key, value in start.items()}
            model.load_state_dict({key: value + noise[key] for key, value in start.items()})
            model.save_pretrained(place / name)
    return place


def merge_both(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[State, State]:
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    monkeypatch.chdir(folder)
    options = MergeOptions(copy_tokenizer=False, quiet=True, write_model_card=False)
    run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), str(tmp_path / "theirs"), options)
    (tmp_path / "recipe.yml").write_text(text, encoding="utf-8")
    run_plan(make_plan(read_recipe(tmp_path / "recipe.yml")), tmp_path / "ours")
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("ours", "theirs"))
    return ours, theirs


def without_cnn(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith(CNN)}


@pytest.mark.parametrize("name", ["slerp", "model_stock", "passthrough"])
def test_recipes_agree(name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(*merge_both(folder, RECIPES[name], monkeypatch, tmp_path))


@pytest.mark.parametrize("name", ["linear", "ties"])
def test_recipes_whose_gradients_reach_the_cnn_agree_but_for_it(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = merge_both(folder, RECIPES[name], monkeypatch, tmp_path)
    assert_same(without_cnn(ours), without_cnn(theirs))


def test_gradients_begin_anew_in_the_cnn_of_mergekit_and_behind_it_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = merge_both(folder, RECIPES["linear"], monkeypatch, tmp_path)
    last = f"{CNN}conv_layers.6.conv.weight"
    one, two = (load_file(folder / name / "model.safetensors")[last] for name in ("one", "two"))
    np.testing.assert_allclose(theirs[last], (one + 0.9 * two) / 1.9, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[last], (one + 0.3 * two) / 1.3, rtol=1e-5, atol=1e-6)
