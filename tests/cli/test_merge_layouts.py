"""`msm merge` across layouts: what it says of names, and the options that belong to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from tests.layouts.samples import Sample, fairseq_heads, fairseq_name, tune, write_folder, write_s3prl, write_task

SAMPLE, OTHER = Sample(), Sample(seed=1)
RENAMED = {fairseq_name(name, large=False): name for name in SAMPLE.shapes() if fairseq_name(name, large=False) != name}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with base, tuned in another layout, and another encoder."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "base", SAMPLE)
    write_s3prl(tmp_path / "tuned.pt", tune(SAMPLE))
    write_folder(tmp_path / "other", OTHER)


def msm(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["merge", "--alpha", "0.5", "--output", "out", *arguments])


def test_names_are_told(tmp_path: Path) -> None:
    said = msm("--base", "base", "--tuned", "tuned.pt")
    assert said.exit_code == 0, said.stderr
    told, done = said.stderr.splitlines()
    first = next(iter(RENAMED))
    assert told.startswith(f"tuned.pt (s3prl, names of fairseq): {len(RENAMED)} names mapped, such as ")
    assert first in told or any(f"{old} to {new}" in told for old, new in RENAMED.items())
    assert told.endswith("3 left out, only for pre-training: final_proj.weight, final_proj.bias, label_embs_concat")
    assert done.startswith("linear: ")


def test_what_keeps_its_values_is_told(tmp_path: Path) -> None:
    write_task(tmp_path / "task", SAMPLE)
    said = msm("--base", "task", "--tuned", "tuned.pt")
    assert "2 kept from the base, head of a task model: lm_head.bias, lm_head.weight\n" in said.stderr


def test_names_of_one_layout_are_no_matter(tmp_path: Path) -> None:
    write_folder(tmp_path / "tuned", tune(SAMPLE))
    said = msm("--base", "base", "--tuned", "tuned")
    assert said.stderr.startswith("linear: ")


@pytest.mark.parametrize("dry", [True, False])
def test_json_has_all_names(dry: bool) -> None:
    said = msm("--base", "base", "--tuned", "tuned.pt", "--json", *(["--dry-run"] if dry else []))
    assert said.exit_code == 0, said.stderr
    base, tuned = json.loads(said.stdout)["namings"]
    assert (base["mapped"], base["left_out"]) == ({}, {})
    assert tuned["mapped"] == RENAMED
    assert tuned["left_out"].keys() == fairseq_heads(SAMPLE).keys()
    assert Path("out").exists() is not dry


def test_wrong_base_is_refused_unless_forced() -> None:
    said = msm("--base", "base", "--tuned", "other")
    assert said.exit_code == 3
    (line,) = said.stderr.splitlines()
    assert line.startswith(
        "Error: expected the base that other was tuned from, came base: over 6 weights of the layers"
    )
    assert not Path("out").exists()
    assert msm("--base", "base", "--tuned", "other", "--force").exit_code == 0


def test_effective_weight_norm_is_in_the_recipe() -> None:
    assert msm("--base", "base", "--tuned", "tuned.pt", "--effective-weight-norm").exit_code == 0
    assert "effective_weight_norm: true\n" in Path("out/recipe.yaml").read_text()
    said = CliRunner().invoke(main, ["merge", "--verify", "out"])
    assert said.exit_code == 0, said.stderr


def test_options_that_a_recipe_says() -> None:
    Path("r.yaml").write_text("merge_method: linear\nbase_model: base\nmodels: [{model: tuned.pt}]\n")
    arguments = ("merge", "r.yaml", "--output", "out", "--effective-weight-norm", "--force")
    said = CliRunner().invoke(main, arguments)
    assert said.exit_code == 2
    assert "put --effective-weight-norm, --force into r.yaml" in said.stderr
