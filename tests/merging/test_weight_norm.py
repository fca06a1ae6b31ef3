"""Merging the weight that weight norm makes: the values, within the engine's limits, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergekit_speech import merge
from mergekit_speech.errors import SettingsError, StrategyError
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.listing import describe_step, list_rows
from mergekit_speech.merging.plan import Limits, make_plan
from mergekit_speech.merging.recipe import Filter, Keep, Merge, Named, Recipe, Tuned
from mergekit_speech.merging.verify import verify_output
from mergekit_speech.testing import tiny_checkpoint
from tests.layouts.samples import Array, Sample, read_folder, tune, write_bin, write_folder, write_s3prl
from tests.merging.recipes import make_recipe

ALPHA = 0.25
G, V = (f"encoder.pos_conv_embed.conv.parametrizations.weight.original{number}" for number in (0, 1))
SAMPLE = Sample()


def weight(values: dict[str, Array], g: str = G, v: str = V) -> Array:
    direction = values[v].astype(np.float64)
    found: Array = values[g] * direction / np.sqrt((direction**2).sum(axis=(0, 1), keepdims=True))
    return found


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "base", SAMPLE)


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "tuned", tune(SAMPLE))


def test_the_weight_is_interpolated(base: Path, tuned: Path, tmp_path: Path) -> None:
    report = merge(base, tuned, alpha=ALPHA, effective_weight_norm=True, output=tmp_path / "out")
    found, one, other = (read_folder(path) for path in (tmp_path / "out", base, tuned))
    expected = (1 - ALPHA) * weight(one) + ALPHA * weight(other)
    assert np.allclose(found[V], expected, atol=1e-6)
    assert np.allclose(weight(found), expected, atol=1e-6)
    assert found[G].shape == (1, 1, 4)
    assert (report.merged, report.copied) == (len(found), 0)
    merge(base, tuned, alpha=ALPHA, output=tmp_path / "apart")
    apart = read_folder(tmp_path / "apart")
    assert not np.allclose(weight(apart), expected, atol=1e-6)
    assert all(np.array_equal(found[name], apart[name]) for name in found if name not in (G, V))


def test_spelling_and_layout_do_not_matter(base: Path, tuned: Path, tmp_path: Path) -> None:
    merge(base, tuned, alpha=ALPHA, effective_weight_norm=True, output=tmp_path / "out")
    old = write_bin(tmp_path / "old", SAMPLE)
    merge(old, tuned, alpha=ALPHA, effective_weight_norm=True, output=tmp_path / "one")
    file = write_s3prl(tmp_path / "base.pt", SAMPLE)
    merge(file, tuned, alpha=ALPHA, effective_weight_norm=True, output=tmp_path / "other")
    found, one, other = (read_folder(tmp_path / name) for name in ("out", "one", "other"))
    assert np.array_equal(one["encoder.pos_conv_embed.conv.weight_v"], found[V])
    assert np.array_equal(one["encoder.pos_conv_embed.conv.weight_g"], found[G])
    assert all(np.array_equal(other[name], found[name]) for name in (G, V))


@pytest.mark.parametrize("strategy", ["ties", "slerp", "arcee_fusion", "task_arithmetic"])
def test_any_strategy(strategy: str, base: Path, tuned: Path, tmp_path: Path) -> None:
    params: dict[str, Any] = {"ties": {"density": 0.5}, "slerp": {"t": 0.3}}.get(strategy, {})
    merge(base, tuned, strategy=strategy, effective_weight_norm=True, output=tmp_path / "out", **params)
    one, other = (
        tiny_checkpoint(tmp_path / name, arrays={**read_folder(path), V: weight(read_folder(path)).astype(np.float32)})
        for name, path in (("one", base), ("other", tuned))
    )
    merge(one, other, strategy=strategy, output=tmp_path / "apart", **params)
    found, expected = read_folder(tmp_path / "out"), read_folder(tmp_path / "apart")
    assert np.allclose(found[V], expected[V], atol=1e-5)
    assert np.allclose(found[G][0, 0], np.linalg.norm(found[V], axis=(0, 1)), rtol=1e-6)


def test_sums_over_the_model_count_the_weight_once(base: Path, tuned: Path, tmp_path: Path) -> None:
    params = {"density": 0.5, "trim": "model"}
    plan = make_plan(make_recipe(base, tuned, strategy="ties", params=params, effective_weight_norm=True))
    run_plan(plan, tmp_path / "out")
    (length,) = [step for step in plan.steps if step.parameter.name == G]
    assert (len(length.mixes), length.measured) == (1, ())
    found = read_folder(tmp_path / "out")
    assert np.allclose(found[G][0, 0], np.linalg.norm(found[V], axis=(0, 1)), rtol=1e-6)


def test_threads_change_nothing_and_verify_agrees(base: Path, tuned: Path, tmp_path: Path) -> None:
    recipe = make_recipe(base, tuned, params={"alpha": ALPHA}, effective_weight_norm=True)
    for threads in (1, 3):
        run_plan(make_plan(recipe, Limits(threads=threads)), tmp_path / str(threads))
    one, other = ((tmp_path / str(threads) / "model.safetensors").read_bytes() for threads in (1, 3))
    assert one == other
    assert verify_output(tmp_path / "1").differences == ()


def test_result_of_a_merge_is_merged_again(base: Path, tuned: Path, tmp_path: Path) -> None:
    inner = Merge(base, (Tuned(tuned),), params={"alpha": 0.5}, effective_weight_norm=True)
    outer = Merge(base, (Tuned(Named("first")),), params={"alpha": 0.5}, effective_weight_norm=True)
    run_plan(make_plan(Recipe(outer, {"first": inner})), tmp_path / "out")
    found, one, other = (read_folder(path) for path in (tmp_path / "out", base, tuned))
    assert np.allclose(weight(found), 0.75 * weight(one) + 0.25 * weight(other), atol=1e-6)


def test_plan_tells_it(base: Path, tuned: Path) -> None:
    plan = make_plan(make_recipe(base, tuned, params={"alpha": ALPHA}, effective_weight_norm=True))
    told = {row.name: row.what for row in list_rows(plan)}
    assert told[V] == "linear #1 (weight of input 1; weight of input 2)"
    assert told[G] == f"length of linear #1 (weight of input 1 {V}; weight of input 2 {V})"
    (step,) = [each for each in plan.steps if each.parameter.name == G]
    assert describe_step(step, plan)["made_of"]["length_of"]["base"]["weight_norm"]["length"] == {  # type: ignore[index]
        "input": 1,
        "parameter": G,
        "from": "F32",
    }


def test_what_is_kept_stays_apart(base: Path, tuned: Path, tmp_path: Path) -> None:
    keep = (Keep(Filter(V, "glob")),)
    with pytest.raises(SettingsError, match=r"^expected weight norm in what is merged, such as .*, came none; leave"):
        make_plan(make_recipe(base, tuned, params={"alpha": ALPHA}, effective_weight_norm=True, keep=keep))


def test_masks_belong_to_what_files_hold(base: Path, tuned: Path) -> None:
    with pytest.raises(StrategyError, match=r"^expected a strategy without masks and statistics for the effective"):
        make_plan(make_recipe(base, tuned, strategy="emr", effective_weight_norm=True))


def test_weight_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    shapes = {"conv.weight_g": (1, 1, 64), "conv.weight_v": (256, 16, 64)}
    base, tuned = (tiny_checkpoint(tmp_path / name, shapes=shapes, seed=3) for name in ("base", "tuned"))
    recipe = make_recipe(base, tuned, params={"alpha": ALPHA}, effective_weight_norm=True)
    with pytest.raises(SettingsError, match=r"parameter 'conv.weight_[gv]' needs \d+ MB at once, the limit is 1 MB"):
        make_plan(recipe, Limits(memory=1 << 20))
    assert make_plan(recipe, Limits(memory=12 << 20)).peak_memory <= 12 << 20
