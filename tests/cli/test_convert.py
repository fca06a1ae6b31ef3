"""`msm convert`."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

from mergekit_speech.cli import main
from tests.layouts.samples import Sample, equal, read_folder, write_folder, write_run, write_s3prl

MEGABYTE = 1 << 20


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


def test_says_what_it_did(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_folder(tmp_path / "base", sample)
    said = run(write_run(tmp_path / "run.ckpt", sample), tmp_path / "y.pt", "--layout", "s3prl", "--like", base)
    assert said.exit_code == 0
    assert "hubert: 46 parameters" in said.stderr
    assert "kept beside them: 3 tensors of heads" in said.stderr
    assert "left out: 1 tensors (downstream head)" in said.stderr
    assert "filled with zeros, as s3prl asks for it: final_proj.bias, final_proj.weight" in said.stderr


def test_json(tmp_path: Path) -> None:
    source = write_s3prl(tmp_path / "x.pt", Sample("wavlm"))
    document = json.loads(run(source, tmp_path / "out", "--layout", "transformers", "--json").stdout)
    assert (document["family"], document["found"], document["filled"]) == ("wavlm", "s3prl, names of fairseq", [])
    assert equal(read_folder(tmp_path / "out"), Sample("wavlm").weights())


class Runs:
    """What an attacker puts into a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['MSM_TEST_MARK']}",)


def bad(kind: str, folder: Path) -> Path:
    path = folder / "x.pt"
    sample = Sample("hubert")
    if kind == "family":
        write_folder(path, sample)
        (path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    elif kind == "config":
        write_folder(path, sample)
        (path / "config.json").unlink()
    elif kind == "half":
        torch.save(dict(list(torch.load(write_s3prl(path, sample))["model_weight"].items())[:20]), path)
    elif kind == "head":
        torch.save({"lm_head.weight": torch.zeros(2)}, path)
    elif kind == "size":
        write_folder(path, sample)
        (path / "config.json").write_text(json.dumps(Sample("hubert", hidden=12).config()))
    elif kind == "text":
        path.write_text("weights follow\n")
    elif kind == "code":
        path.write_bytes(pickle.dumps({"model": Runs()}, 2))
    elif kind == "zipped code":
        torch.save({"model": Runs()}, path)
    return path


@pytest.mark.parametrize("layout", ["s3prl", "transformers"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("family", "came 'bert'"),
        ("config", "expected config.json in"),
        ("half", "came a part of it"),
        ("head", "came 'lm_head.weight'; give the encoder, not a head"),
        ("size", "as its settings say"),
        ("text", "expected a file of safetensors or torch.save, came one that starts with b'weights follow"),
        ("code", "expected a file of safetensors or torch.save"),
        ("zipped code", ".system', which was not run"),
        ("none", "which is none; check the path"),
    ],
)
def test_bad_input(kind: str, message: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_TEST_MARK", str(tmp_path / "mark"))
    source = bad(kind, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    said = run(source, tmp_path / "deep" / "out", "--layout", layout)
    assert said.exit_code == 3
    assert said.stderr.count("\n") == 1
    assert message in said.stderr
    assert sorted(tmp_path.rglob("*")) == before


PROGRAM = """
import resource, sys
from pathlib import Path
from mergekit_speech.layouts.convert import convert
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "torch" in sys.modules, "numpy" in sys.modules)
"""


def test_reads_and_writes_piece_by_piece(tmp_path: Path) -> None:
    sample = Sample("wavlm", hidden=64, inner=1 << 16)
    folder = write_folder(tmp_path / "x", sample)
    save_file(
        {name: np.zeros(shape, "float32") for name, shape in sample.shapes().items()}, folder / "model.safetensors"
    )
    steps = ((folder, tmp_path / "x.pt", "s3prl"), (tmp_path / "x.pt", tmp_path / "y", "transformers"))
    for source, output, layout in steps:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, source, output, layout], capture_output=True, text=True, check=True
        )
        growth, torch_loaded, numpy_loaded = done.stdout.split()
        assert int(growth) * 1024 < 32 * MEGABYTE
        assert (torch_loaded, numpy_loaded) == ("False", "False")
