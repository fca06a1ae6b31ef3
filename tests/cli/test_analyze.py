"""`msm analyze`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from mergekit_speech import merge
from mergekit_speech.cli import main
from mergekit_speech.reports.schema import results_schema


def analyze(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["analyze", *map(str, arguments)])


def _change(encoder: Path, folder: Path, share: float, name: str = "encoder.layers") -> Path:
    """A copy whose layers are moved by a share of their size."""
    shutil.copytree(encoder, folder)
    generator = torch.Generator().manual_seed(1)
    weights = load_file(folder / "model.safetensors")
    moved = {
        key: value + share * value.std(correction=0) * torch.randn(value.shape, generator=generator)
        if name in key
        else value
        for key, value in weights.items()
    }
    save_file(moved, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def made(tiny_hubert: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base, one tuned from it, and a merge of both at 0.25."""
    folder = tmp_path_factory.mktemp("made")
    tuned = _change(tiny_hubert, folder / "tuned", 0.5)
    merge(tiny_hubert, tuned, output=folder / "merged", alpha=0.25)
    return {"base": tiny_hubert, "tuned": tuned, "merged": folder / "merged"}


def _read(output: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, results_schema())
    return document


def test_a_merge_is_nearer_to_the_base_than_the_tuned_encoder(
    made: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    done = analyze(*(f"{label}={path}" for label, path in made.items()), "--data", corpus, "--output", tmp_path / "r")
    assert done.exit_code == 0, done.output
    found = _read(tmp_path / "r")
    tuned, merged = found["pairs"]
    assert [layer["layer"] for layer in tuned["layers"]] == [0, 1, 2]
    for figure in ("r2", "cka", "cosine"):
        assert merged["layers"][2][figure] > tuned["layers"][2][figure]
    # Only layers were moved, so that their input is what it was.
    assert tuned["layers"][0]["r2"] == pytest.approx(1.0, abs=1e-6)
    weights = [{part["part"]: part for part in pair["weights"]} for pair in (tuned, merged)]
    assert next(iter(weights[0])) == "whole"
    assert weights[1]["layer 1"]["absolute"] == pytest.approx(0.25 * weights[0]["layer 1"]["absolute"], rel=1e-4)
    assert weights[0]["feature_projection"]["relative"] == 0
    # The recipe of the merge names the tuned encoder.
    assert tuned["connectivity"] is None
    assert merged["connectivity"]["tuned"] == "tuned"
    assert merged["connectivity"]["alpha"] == pytest.approx(0.25, abs=1e-4)
    assert merged["connectivity"]["layers"][0]["relative_error"] == pytest.approx(0.0, abs=1e-6)
    assert 0 < merged["connectivity"]["layers"][2]["relative_error"] < 1
    assert "| merged | 0.2500 | 2 |" in (tmp_path / "r" / "table.md").read_text()
    assert "linear CKA" in done.stdout
    assert "merged: α = 0.2500 on the line to tuned." in done.stderr
    assert "Intervals of these figures are not measured." in done.stderr
    assert done.stderr.endswith(f"report: {tmp_path / 'r' / 'report.html'}\n")


def test_json_of_few_clips_and_another_line(made: dict[str, Path], corpus: Path, tmp_path: Path) -> None:
    aside = _change(made["base"], tmp_path / "aside", 0.1, "attention")
    done = analyze(
        made["base"], f"t={made['tuned']}", f"aside={aside}", "logmel", "--data", corpus, "--folder", "ks",
        "--clips", "4", "--between", "t", "--json", "--quiet", "--output", tmp_path / "r",
    )  # fmt: skip
    assert done.exit_code == 3
    assert "expected the base's parameters in logmel, came others: leave it out, or do without --between" in done.stderr
    done = analyze(
        made["base"], f"t={made['tuned']}", f"aside={aside}", "--data", corpus, "--folder", "ks",
        "--clips", "4", "--between", "t", "--json", "--quiet", "--output", tmp_path / "r",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["clips"], found["seed"]) == (4, 0)
    assert any("aside: α = " in note and "it is no linear merge" in note for note in found["notes"])
    assert any(note.startswith("R² is too low: ") for note in found["notes"])
    assert done.stderr == ""


def test_spectra_and_other_sizes_are_compared_as_far_as_it_goes(
    tiny_encoders: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    done = analyze("fbank", tiny_encoders["wavlm"], "--data", corpus, "--output", tmp_path / "r", "--clips", "8")
    assert done.exit_code == 0, done.output
    found = _read(tmp_path / "r")
    (pair,) = found["pairs"]
    assert (len(pair["layers"]), pair["weights"], pair["layers"][0]["cosine"]) == (1, [], None)
    assert "Weights of wavlm and fbank are not compared: both must be checkpoints." in found["notes"]
    assert "Cosine is left out where an encoder does not have the dimensions of the base." in found["notes"]
    done = analyze(tiny_encoders["hubert"], tiny_encoders["wavlm"], "--data", corpus, "--output", tmp_path / "s")
    assert done.exit_code == 0, done.output
    assert any(
        note.startswith("Weights of wavlm and hubert are not compared: ") for note in _read(tmp_path / "s")["notes"]
    )
    done = analyze(tiny_encoders["hubert"], "logmel", "--data", corpus, "--output", tmp_path / "t", "--clips", "4")
    assert "logmel: compared in the 1 layers that it shares with the base's 3." in done.stderr


def test_a_recipe_of_encoders_unlike_the_base_says_nothing(made: dict[str, Path], corpus: Path, tmp_path: Path) -> None:
    done = analyze(
        "logmel", made["tuned"], made["merged"], "--data", corpus, "--output", tmp_path / "r", "--clips", "2"
    )
    assert done.exit_code == 0, done.output
    assert [pair["connectivity"] for pair in _read(tmp_path / "r")["pairs"]] == [None, None]


def test_features_that_are_not_finite(tiny_hubert: Path, corpus: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_hubert, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    for end in ("weight", "bias"):
        weights[f"encoder.layers.1.final_layer_norm.{end}"] = torch.full((32,), 3e38)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    done = analyze(tiny_hubert, broken, "--data", corpus, "--clips", "2", "--output", tmp_path / "r")
    assert done.exit_code == 3
    assert "encoder broken: hidden states of" in done.stderr
    assert not (tmp_path / "r").exists()


def test_bad_input(tiny_hubert: Path, corpus: Path, tmp_path: Path) -> None:
    here = ("--data", corpus, "--output", tmp_path / "r")
    for arguments, code, text in (
        ((tiny_hubert,), 2, "Missing argument"),
        ((tiny_hubert, "logmel", "--between", "logmle"), 2, "came 'logmle' (did you mean 'logmel'?): name it among"),
        ((tiny_hubert, "logmel", "--folder", "none"), 3, "no manifest at"),
        ((tiny_hubert, "logmel", "--clips", "99"), 3, "expected at least 99 clips in"),
    ):
        done = analyze(*arguments, *here)
        assert (done.exit_code, text in done.stderr) == (code, True), done.stderr
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "mine").touch()
    assert analyze(tiny_hubert, "logmel", *here).exit_code == 1
