"""Names of the hub wherever a checkpoint is named, out of a cache that was filled before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import mergekit_speech
from mergekit_speech.cli import main
from mergekit_speech.errors import RecipeError
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.gathering.settings import GatherSettings
from mergekit_speech.merging.provenance import read_licence
from mergekit_speech.merging.recipe_yaml import read_recipe
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.superb.named_encoder import read_encoders
from mergekit_speech.testing import tiny_checkpoint
from tests.hub.repositories import CARD, put_into_cache

BASE, TUNED = "lab/base", "lab/tuned"
SETTINGS = FinetuneSettings(steps=2, learning_rate=1e-3, clips=2, accumulate=1, evaluate_every=2, head_only=0.5, seed=0)


@pytest.fixture
def commits(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A base and a tuned encoder in the cache; their commits."""
    found = {}
    for seed, name in enumerate((BASE, TUNED)):
        made = tiny_checkpoint(tmp_path / "made" / str(seed), seed=seed)
        (made / "README.md").write_bytes(CARD)
        found[name] = put_into_cache(cache, name, made)
    monkeypatch.chdir(tmp_path)
    return found


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_merge_names_its_inputs_by_repository_and_commit(commits: dict[str, str], tmp_path: Path) -> None:
    run("merge", "--base", BASE, "--tuned", TUNED, "--alpha", "0.25", "--output", "out")
    base, tuned = (f"{name}@{commit}" for name, commit in commits.items())
    recipe = (tmp_path / "out" / "recipe.yaml").read_text()
    card = (tmp_path / "out" / "README.md").read_text()
    assert f'base_model: "{base}"' in recipe
    assert f'model: "{tuned}"' in recipe
    assert "license: mit\nbase_model: [lab/base, lab/tuned]\nbase_model_relation: merge\n" in card
    assert f"| {base} |" in card
    assert str(tmp_path) not in recipe + card
    made = run("inspect", "out")["provenance"]
    assert [each["name"] for each in made["inputs"]] == [base, tuned]
    again = run("merge", "--verify", "out")
    assert again["parameters"] > 0


def test_python_and_recipe_give_the_same(commits: dict[str, str], tmp_path: Path) -> None:
    mergekit_speech.merge(f"{BASE}@main", TUNED, alpha=0.5, output="one")
    (tmp_path / "recipe.yaml").write_text(
        f"merge_method: linear\nbase_model: {BASE}\nmodels: [{{model: {TUNED}@main}}]\nparameters: {{alpha: 0.5}}\n"
    )
    run("merge", "recipe.yaml", "--output", "two")
    assert weights_digest(Path("one")) == weights_digest(Path("two"))
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (
        tmp_path / "two" / "model.safetensors"
    ).read_bytes()


def test_recipe_with_names_that_cannot_be_fetched(commits: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        f"merge_method: linear\nbase_model: {BASE}\nmodels:\n- model: lab/gone\n- model: lab/gone:x.pt\n"
        "parameters: {alpha: 0.5}\n"
    )
    with pytest.raises(RecipeError) as caught:
        read_recipe(tmp_path / "recipe.yaml")
    missing = "is no folder here and not whole in the cache, and HF_HUB_OFFLINE is set; fetch it online"
    place = tmp_path / "recipe.yaml"
    assert str(caught.value) == f"{place}: line 4: lab/gone {missing}; line 5: lab/gone:x.pt {missing}"


def test_diff_and_extract_lora(commits: dict[str, str]) -> None:
    found = run("diff", BASE, TUNED, "--base", BASE)
    assert found["first"].endswith(commits[BASE])
    assert found["base"] == found["first"]
    made = run(
        "extract-lora", "--base", BASE, "--tuned", f"{TUNED}@{commits[TUNED]}", "--rank", "2", "--output", "lora"
    )
    assert made["weights"]


def test_unmask(commits: dict[str, str], cache: Path, tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path / "other", seed=2)
    run("merge", "--base", BASE, "--tuned", TUNED, "--tuned", "other", "--strategy", "emr", "--output", "out")
    put_into_cache(cache, "lab/emr", tmp_path / "out")
    here = run("unmask", "out", "--encoder", "1", "--output", "here")
    there = run("unmask", "lab/emr", "--encoder", "1", "--base", BASE, "--output", "there")
    assert here["base"] == there["base"]
    assert weights_digest(Path("here")) == weights_digest(Path("there"))


def test_adapter_of_the_hub(commits: dict[str, str], cache: Path, tmp_path: Path) -> None:
    run("extract-lora", "--base", BASE, "--tuned", TUNED, "--rank", "2", "--output", "lora")
    put_into_cache(cache, "lab/lora", tmp_path / "lora")
    run("merge", "--base", BASE, "--tuned", "lora", "--alpha", "0.5", "--output", "one")
    run("merge", "--base", BASE, "--tuned", "lab/lora", "--alpha", "0.5", "--output", "two")
    assert weights_digest(Path("one")) == weights_digest(Path("two"))


def test_finetune_records_the_commit_and_merge_finds_the_base(
    cache: Path, tiny_hubert: Path, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = put_into_cache(cache, BASE, tiny_hubert)
    mergekit_speech.finetune(BASE, task="pr", data=toy, output=tmp_path / "run", settings=SETTINGS)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["base"] == {"path": f"{BASE}@{commit}", "digest": weights_digest(tiny_hubert)}
    monkeypatch.chdir(tmp_path)
    run("merge", "run", "--alpha", "0", "--output", "out")
    assert weights_digest(tmp_path / "out") == weights_digest(tiny_hubert)


def test_statistics(cache: Path, tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    commit = put_into_cache(cache, BASE, tiny_hubert)
    settings = GatherSettings(("gram",), clips=1)
    mergekit_speech.gather_statistics(BASE, data=toy, output=tmp_path / "out", settings=settings, task="pr")
    record = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert record["encoder"]["path"] == f"{BASE}@{commit}"


def test_bench_names_encoders_by_repository(cache: Path, tiny_hubert: Path) -> None:
    commit = put_into_cache(cache, BASE, tiny_hubert)
    plain, random, labelled = read_encoders([BASE, f"random:{BASE}", f"mine={BASE}@main"])
    assert [each.label for each in (plain, random, labelled)] == ["base", "random base", "mine"]
    assert plain.folder == cache / "models--lab--base" / "snapshots" / commit
    assert plain.digest(plain.load()) == weights_digest(tiny_hubert)


def test_files_in_repositories(cache: Path, tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    run("convert", str(tiny_hubert), str(tmp_path / "made" / "hubert.pt"), "--layout", "s3prl")
    commit = put_into_cache(cache, "lab/files", tmp_path / "made")
    place = cache / "models--lab--files" / "snapshots" / commit / "hubert.pt"
    assert read_licence(place) is None
    (place.parent / "README.md").write_bytes(CARD)
    assert read_licence(place) == "mit"
    name = f"lab/files@{commit}:hubert.pt"
    (only,) = read_encoders(["lab/files"])
    assert (only.label, only.digest(only.load())) == ("hubert", weights_digest(tiny_hubert))
    mergekit_speech.finetune("lab/files:hubert.pt", task="pr", data=toy, output=tmp_path / "run", settings=SETTINGS)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["base"] == {"path": name, "digest": weights_digest(tiny_hubert)}


def test_convert(cache: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    put_into_cache(cache, BASE, tiny_hubert)
    run("convert", BASE, str(tmp_path / "there.pt"), "--layout", "s3prl")
    run("convert", str(tmp_path / "there.pt"), str(tmp_path / "back"), "--layout", "transformers")
    assert weights_digest(tmp_path / "back") == weights_digest(tiny_hubert)
