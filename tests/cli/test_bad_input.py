"""What is no encoder, or a broken one: every command says so in one line, writes nothing, and runs nothing."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from tests.layouts.samples import Sample, write_folder, write_s3prl
from tests.speech.corpus import noise, save

READING = ("inspect", "diff")
WRITING = ("convert s3prl", "convert transformers", "finetune", "bench", "statistics")
ALL = (*READING, *WRITING)
NO_CONFIG = "take the settings from a checkpoint of the same encoder with msm convert --layout transformers --like"


class Runs:
    """What an attacker puts into a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['MSM_TEST_MARK']}",)


def bad(kind: str, folder: Path) -> Path:
    """Write a checkpoint that is not what it should be."""
    path, sample = folder / "x.pt", Sample("hubert")
    match kind:
        case "family":
            write_folder(path, sample)
            (path / "config.json").write_text(json.dumps({"model_type": "bert"}))
        case "config":
            write_folder(path, sample)
            (path / "config.json").unlink()
        case "half":
            torch.save(dict(list(torch.load(write_s3prl(path, sample))["model_weight"].items())[:20]), path)
        case "head":
            torch.save({"lm_head.weight": torch.zeros(2)}, path)
        case "size":
            write_folder(path, sample)
            (path / "config.json").write_text(json.dumps(Sample("hubert", hidden=12).config()))
        case "text":
            path.write_text("weights follow\n")
        case "text in a folder":
            write_folder(path, sample)
            (path / "model.safetensors").write_text("weights follow, line by line\n")
        case "code":
            path.write_bytes(pickle.dumps({"model": Runs()}, 2))
        case "zipped code":
            torch.save({"model": Runs()}, path)
        case "code in a folder":
            write_folder(path, sample)
            (path / "model.safetensors").unlink()
            torch.save({"encoder.layer_norm.weight": Runs()}, path / "pytorch_model.bin")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A manifest of one clip many times, which nobody gets to hear."""
    rows = [
        {"id": str(n), "path": "x.wav", "duration": 1.0, "split": split, "label": label}
        for n, (split, label) in enumerate((split, label) for split in ("train", "valid", "test") for label in "ab")
    ]
    (tmp_path / "data" / "ks").mkdir(parents=True)
    (tmp_path / "data" / "ks" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save(tmp_path / "data" / "x.wav", noise(1.0, seed=0))
    return tmp_path / "data"


def run(command: str, source: Path, data: Path, folder: Path) -> Result:
    name, _, layout = command.partition(" ")
    output, heard = ["--output", folder / "deep" / "out"], ["--data", data]
    arguments: dict[str, list[object]] = {
        "inspect": [],
        "diff": [write_s3prl(folder / "good.pt", Sample("hubert"))],
        "convert": [folder / "deep" / "out", "--layout", layout],
        "finetune": ["--task", "ks", *heard, *output],
        "bench": ["--tasks", "ks", *heard, *output],
        "statistics": ["--task", "ks", "--kind", "gram", *heard, *output],
    }
    return CliRunner().invoke(main, [name, str(source), *map(str, arguments[name])])


CASES = [
    ("family", WRITING, r"'bert'"),
    ("config", WRITING, NO_CONFIG),
    ("half", ALL, "came a part of it without 10, such as 'encoder.layers.0.attention.out_proj.weight'"),
    ("head", ("diff", *WRITING), "came 'lm_head.weight'; give the encoder, not a head"),
    ("size", ("inspect", *WRITING[:2]), "as its settings say, came (8,); give the settings of an encoder of the same"),
    ("size", WRITING[2:], "config.json and weights are of different models"),
    ("text", ALL, "expected a file of safetensors or torch.save, came one that starts with b'weights follow"),
    ("text in a folder", ("inspect", "diff", *WRITING[:2]), "model.safetensors"),
    ("text in a folder", WRITING[2:], "the checkpoint is damaged or incomplete; copy or download it again"),
    ("code", ALL, "expected a file of safetensors or torch.save"),
    ("zipped code", ALL, ".system', which was not run"),
    ("code in a folder", ("inspect", "diff", *WRITING[:2]), ".system', which was not run"),
    ("code in a folder", WRITING[2:], "the checkpoint is damaged or incomplete; copy or download it again"),
    ("none", ALL, "x.pt', which "),
]


@pytest.mark.parametrize(
    ("kind", "command", "message"), [(kind, command, text) for kind, commands, text in CASES for command in commands]
)
def test_one_line_and_nothing_else(
    kind: str, command: str, message: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM_TEST_MARK", str(tmp_path / "mark"))
    source = bad(kind, tmp_path)
    write_s3prl(tmp_path / "good.pt", Sample("hubert"))
    before = sorted(tmp_path.rglob("*"))
    said = run(command, source, data, tmp_path)
    assert (said.exit_code, said.stdout, said.stderr.count("\n")) == (3, "", 1)
    assert message in said.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("family", "family    bert, which is none of this toolkit's"),
        ("config", "settings  none; `msm convert --like BASE` takes those of a checkpoint of the same encoder"),
        ("head", "content   no encoder: no names such as 'encoder.layers.0…'"),
    ],
)
def test_inspection_says_what_it_is_instead(kind: str, line: str, data: Path, tmp_path: Path) -> None:
    said = run("inspect", bad(kind, tmp_path), data, tmp_path)
    assert (said.exit_code, said.stderr) == (0, "")
    assert line in said.stdout.splitlines()
