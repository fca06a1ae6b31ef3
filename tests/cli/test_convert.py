"""`msm convert`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
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
