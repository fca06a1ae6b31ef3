"""`mergekit_speech.merge`: from folders to a folder that transformers loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import mergekit_speech
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.merging.provenance import METADATA_KEY
from mergekit_speech.merging.recipe_yaml import read_recipe
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.shards.reader import open_checkpoint
from mergekit_speech.testing import tiny_checkpoint


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [tiny_checkpoint(tmp_path / name, seed=seed) for seed, name in enumerate(("base", "one", "two"))]


def write_card(folder: Path, licence: str) -> None:
    (folder / "README.md").write_text(f"---\ntags: [x]\nlicense: {licence}\n---\n# A card\n")


def test_transformers_loads_what_is_merged(tiny_encoder: Path, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModel

    base = AutoModel.from_pretrained(tiny_encoder)
    tuned = AutoModel.from_pretrained(tiny_encoder)
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    tuned.save_pretrained(tmp_path / "tuned")
    mergekit_speech.merge(tiny_encoder, tmp_path / "tuned", alpha=0.25, output=tmp_path / "out")
    merged, report = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values())
    theirs = tuned.state_dict()
    for name, values in base.state_dict().items():
        assert torch.equal(merged.state_dict()[name], (1 - 0.25) * values + 0.25 * theirs[name])
    AutoFeatureExtractor.from_pretrained(tmp_path / "out")


def test_run_is_merged_into_its_base(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    run = tmp_path / "run"
    run.mkdir()
    one.rename(run / "encoder")
    record = {"base": {"path": str(base), "digest": weights_digest(base)}}
    (run / "record.json").write_text(json.dumps(record))
    report = mergekit_speech.merge(None, run, alpha=0.5, output=tmp_path / "out")
    assert report.digests == (weights_digest(base), weights_digest(run / "encoder"))


def test_only_configuration_is_copied_from_the_base(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    for name in (
        "preprocessor_config.json",
        "vocab.json",
        "LICENSE",
        "record.json",
        "pytorch_model.bin",
        "x.index.json",
    ):
        (base / name).write_text("{}")
    mergekit_speech.merge(base, one, alpha=0.5, output=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "LICENSE",
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "recipe.yaml",
        "vocab.json",
    ]


@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        ("linear", {"alpha": 0.3, "weight": [1, 2]}),
        ("ties", {"density": [0.5, 0.9], "lambda": 0.5, "trim": "model"}),
    ],
)
def test_recipe_that_is_left_merges_the_same_again(
    folders: list[Path], tmp_path: Path, strategy: str, params: Mapping[str, Any]
) -> None:
    base, *tuned = folders
    options: dict[str, Any] = {"strategy": strategy, "dtype": "bfloat16", "keep": ["encoder.scale"], "seed": 5}
    mergekit_speech.merge(base, tuned, output=tmp_path / "out", **options, **params)
    again = read_recipe(tmp_path / "out" / "recipe.yaml")
    run_plan(make_plan(again), tmp_path / "again")
    for name in ("model.safetensors", "recipe.yaml", "README.md"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_extrapolation_is_left_in_the_recipe(folders: list[Path], tmp_path: Path) -> None:
    mergekit_speech.merge(folders[0], folders[1], alpha=1.5, extrapolate=True, output=tmp_path / "out")
    document = yaml.safe_load((tmp_path / "out" / "recipe.yaml").read_text())
    assert document["extrapolate"] is True
    assert document["parameters"]["alpha"] == 1.5


def test_metadata_says_what_was_merged(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    write_card(one, "mit")
    mergekit_speech.merge(base, one, alpha=0.5, output=tmp_path / "out")
    metadata = open_checkpoint(tmp_path / "out").metadata
    assert metadata["format"] == "pt"
    made = json.loads(metadata[METADATA_KEY])
    assert made["inputs"] == [
        {"name": "base", "digest": weights_digest(base), "licence": None},
        {"name": "one", "digest": weights_digest(one), "licence": "mit"},
    ]
    assert made["recipe"] == {"merge": {"base": "base", "tuned": [{"source": "one"}], "params": {"alpha": 0.5}}}
    assert made["rules"] == [{"strategy": "linear", "settings": {"scale": 0.5, "weight": [1.0], "normalize": True}}]
    assert made["version"] == mergekit_speech.__version__


def test_bytes_do_not_depend_on_where_the_inputs_lie(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    mergekit_speech.merge(base, one, alpha=0.5, output=tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    moved = [path.rename(tmp_path / "elsewhere" / path.name) for path in (base, one)]
    mergekit_speech.merge(*moved, alpha=0.5, output=tmp_path / "again")
    first, second = (tmp_path / name / "model.safetensors" for name in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_card_names_inputs_settings_and_licence(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    write_card(base, "mit")
    write_card(one, "mit")
    mergekit_speech.merge(base, one, alpha=0.5, output=tmp_path / "out", keep=["encoder.scale"])
    card = (tmp_path / "out" / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "mit"
    assert f"| base | `{weights_digest(base)}` | mit |" in card
    assert "| linear | scale | 0.5 | Share α" in card
    assert "Parameters that were copied: 1 kept from the base." in card


def test_card_leaves_unlike_licences_to_a_person(folders: list[Path], tmp_path: Path) -> None:
    base, one, _ = folders
    write_card(base, "mit")
    write_card(one, "cc-by-nc-4.0")
    mergekit_speech.merge(base, one, alpha=0.5, output=tmp_path / "out")
    assert "license" not in (tmp_path / "out" / "README.md").read_text()


def test_missing_config_is_not_invented(folders: list[Path], tmp_path: Path) -> None:
    (folders[0] / "config.json").unlink()
    mergekit_speech.merge(folders[0], folders[1], alpha=0.5, dtype="float16", output=tmp_path / "out")
    assert not (tmp_path / "out" / "config.json").exists()
    plan = make_plan(replace(read_recipe(tmp_path / "out" / "recipe.yaml"), dtype=None))
    assert {step.parameter.dtype for step in plan.steps} == {"F32"}
