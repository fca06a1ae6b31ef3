"""What is no encoder, or not the right one: one clear line, exit code 3, nothing written and nothing run."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file

from mergekit_speech.cli import main
from tests.layouts.samples import CTC, KEYS, Sample, draw, fairseq_settings, fairseq_state, tune, write_folder

SAMPLE = Sample("hubert")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def unknown_family(path: Path) -> Path:
    write_folder(path, tune(SAMPLE), prefix="x.")
    (path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    return path


def half_of_the_keys(path: Path) -> Path:
    weights = tune(SAMPLE).weights()
    return write_folder(path, SAMPLE, weights={name: weights[name] for name in sorted(weights)[::2]})


def half_of_the_keys_for_s3prl(path: Path) -> Path:
    names = fairseq_state(tune(SAMPLE))
    half = {name: names[name] for name in sorted(names)[1::2]}
    torch.save({**fairseq_settings(SAMPLE), KEYS["hubert"]: half}, path)
    return path


def head_only(path: Path) -> Path:
    save_file(draw(CTC, 1), path)
    return path


def head_only_folder(path: Path) -> Path:
    return write_folder(path, SAMPLE, weights=draw(CTC, 1))


def another_width(path: Path) -> Path:
    larger = Sample("hubert", hidden=16)
    return write_folder(path, larger)


def more_layers(path: Path) -> Path:
    larger = Sample("hubert", layers=4)
    return write_folder(path, larger)


def text(path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    path.write_text("These are no weights.\n")
    return path


def harmful(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"model": Harmful()}))
    return path


def harmful_checkpoint(path: Path) -> Path:
    torch.save({"model": {"x": torch.zeros(1)}, "cfg": Harmful()}, path)
    return path


BAD: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "unknown family": (unknown_family, "expected a hubert encoder like"),
    "half of the keys": (half_of_the_keys, "came a part of it without"),
    "half of the keys for s3prl": (half_of_the_keys_for_s3prl, "came a part of it without"),
    "head only": (head_only, "give the encoder, not a head or another kind of model"),
    "head only, in a folder": (head_only_folder, "give the encoder, not a head or another kind of model"),
    "another width": (another_width, "expected an encoder with 2 layers of width 8 like"),
    "more layers": (more_layers, "came 4 layers of width 8 in"),
    "text": (text, "expected"),
    "os.system": (harmful, "expected a file of safetensors or torch.save"),
    "os.system in a checkpoint": (harmful_checkpoint, "which was not run"),
}


def refusal(tmp_path: Path, base: Path, tuned: Path) -> str:
    """Run the command, see that it fails with code 3 and leaves nothing, and give its one line."""
    before = sorted(tmp_path.rglob("*"))
    arguments = ("--base", str(base), "--tuned", str(tuned), "--alpha", "0.5", "--output", str(tmp_path / "out"))
    said = CliRunner().invoke(main, ["merge", *arguments])
    assert (said.exit_code, said.stdout) == (3, ""), said.stderr
    assert sorted(tmp_path.rglob("*")) == before
    (line,) = said.stderr.splitlines()
    return line


@pytest.mark.parametrize("kind", BAD)
def test_tuned_encoder(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, expected = BAD[kind]
    line = refusal(tmp_path, write_folder(tmp_path / "base", SAMPLE), write(tmp_path / "tuned"))
    assert line.startswith("Error: ")
    assert expected in line
    assert "tuned" in line


@pytest.mark.parametrize(
    "kind", ["half of the keys", "half of the keys for s3prl", "text", "os.system in a checkpoint"]
)
def test_base(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, expected = BAD[kind]
    assert expected in refusal(tmp_path, write(tmp_path / "base"), write_folder(tmp_path / "tuned", tune(SAMPLE)))


def test_base_without_config(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", SAMPLE)
    (base / "config.json").unlink()
    assert refusal(tmp_path, base, write_folder(tmp_path / "tuned", tune(SAMPLE))) == (
        f"Error: expected config.json in {base}, from where the result takes its settings, came none; fetch it"
    )


def test_family_that_nothing_names(tmp_path: Path) -> None:
    base = tmp_path / "base.pt"
    names = fairseq_state(SAMPLE)
    kept = {name: each for name, each in names.items() if not name.startswith(("label", "final"))}
    torch.save({"model_cfg": {"encoder_layers": 2}, "task_cfg": {}, "model_weight": kept}, base)
    line = refusal(tmp_path, base, write_folder(tmp_path / "tuned", tune(SAMPLE)))
    assert "expected an encoder of the families hubert, wav2vec2, wavlm, decoar2 in" in line
