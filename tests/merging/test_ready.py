"""The recipes that are shipped: each runs once its paths are put in, and gives what its head says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from mergekit_speech import merge_state_dicts
from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.merging.ready import RECIPES
from mergekit_speech.merging.recipe_yaml import read_recipe
from mergekit_speech.testing import tiny_checkpoint

PATHS = {
    "path/to/tuned-on-one-task": "one",
    "path/to/tuned-on-another-task": "two",
    "path/to/tuned-first": "one",
    "path/to/tuned-second": "two",
    "path/to/tuned": "one",
    "path/to/base": "base",
}
LAYERS = ("encoder.layers.0.weight", "encoder.layers.1.weight")


@pytest.fixture(autouse=True)
def _encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("base", "one", "two")):
        tiny_checkpoint(Path(name), seed=seed)


def weights(name: str) -> dict[str, npt.NDArray[Any]]:
    return load_file(f"{name}/model.safetensors")


def run(name: str) -> dict[str, npt.NDArray[Any]]:
    text = RECIPES.text(name)
    for path, folder in PATHS.items():
        text = text.replace(f" {path}\n", f" {folder}\n")
    Path("recipe.yaml").write_text(text, encoding="utf-8")
    run_plan(make_plan(read_recipe(Path("recipe.yaml"))), Path("merged"))
    return weights("merged")


def assert_same(merged: dict[str, npt.NDArray[Any]], *tuned: str, **params: Any) -> None:
    expected = merge_state_dicts(weights("base"), [weights(each) for each in tuned], **params)
    assert set(merged) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(merged[name], array)


def test_what_is_shipped() -> None:
    assert RECIPES.names() == ["lines", "multitask_linear", "sequential", "speech_ft", "task_arithmetic", "ties"]


@pytest.mark.parametrize("name", RECIPES.names())
def test_head_says_what_to_put_in_and_what_to_run(name: str) -> None:
    head = RECIPES.text(name).partition("\nmerge_method")[0]
    assert all(line.startswith(("# ", "#", "name: ")) for line in head.splitlines())
    assert all(word in head for word in ("# Put in: base_model", "# Run:    msm ", f"{name}.yaml", "# Source: "))


def test_speech_ft() -> None:
    assert_same(run("speech_ft"), "one", strategy="linear", alpha=0.25)


def test_multitask_linear() -> None:
    assert_same(run("multitask_linear"), "one", "two", strategy="linear", alpha=0.25)


def test_task_arithmetic() -> None:
    assert_same(run("task_arithmetic"), "one", "two", strategy="task_arithmetic", scale=0.3)


def test_ties() -> None:
    assert_same(run("ties"), "one", "two", strategy="ties", density=0.2, trim="model")


def test_lines() -> None:
    merged, base, tuned = run("lines"), weights("base"), weights("one")
    for name, factor in zip(LAYERS, (0.25, 1.0), strict=True):
        np.testing.assert_allclose(merged[name], base[name] + factor * (tuned[name] - base[name]), rtol=1e-5, atol=1e-6)


def test_sequential_is_the_same_as_two_merges_on_disk() -> None:
    merged = run("sequential")
    Path("first.yaml").write_text(
        "merge_method: linear\nbase_model: base\nmodels: [{model: one}]\nparameters: {alpha: 0.25}\n", encoding="utf-8"
    )
    run_plan(make_plan(read_recipe(Path("first.yaml"))), Path("first"))
    expected = merge_state_dicts(weights("first"), weights("two"), strategy="linear", alpha=0.25)
    for name, array in expected.items():
        np.testing.assert_array_equal(merged[name], array)


def test_unknown_name() -> None:
    with pytest.raises(RecipeError, match=r"expected a ready recipe, came .line. \(did you mean .lines.\?\); there"):
        RECIPES.text("line")
