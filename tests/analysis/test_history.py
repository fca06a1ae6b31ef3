"""Where a checkpoint comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from mergekit_speech.analysis.history import find_run
from mergekit_speech.analysis.inspection import inspect_checkpoint
from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.convert import convert
from mergekit_speech.merging.merge import merge
from mergekit_speech.testing import tiny_checkpoint
from tests.layouts.samples import Sample, read_folder, write_folder, write_s3prl


def test_conversions_both_ways(tmp_path: Path) -> None:
    file = write_s3prl(tmp_path / "x.pt", Sample("hubert"))
    assert inspect_checkpoint(file).conversion is None
    convert(file, tmp_path / "folder", "transformers")
    assert inspect_checkpoint(tmp_path / "folder").conversion == "s3prl"
    folder = write_folder(tmp_path / "task", Sample("hubert"), prefix="hubert.")
    convert(folder, tmp_path / "y.pt", "s3prl")
    assert inspect_checkpoint(tmp_path / "y.pt").conversion == "transformers"


def test_provenance_of_a_merge_outlives_a_conversion(tmp_path: Path) -> None:
    base, tuned = (write_folder(tmp_path / name, Sample("hubert")) for name in ("base", "tuned"))
    weights = read_folder(tuned)
    weights["encoder.layers.0.feed_forward.output_dense.weight"] *= 1.01
    save_file(weights, tuned / "model.safetensors", {"format": "pt"})
    merge(base, tuned, output=tmp_path / "merged", alpha=0.5)
    merged = inspect_checkpoint(tmp_path / "merged").provenance
    convert(tmp_path / "merged", tmp_path / "x.pt", "s3prl")
    assert merged is not None
    assert inspect_checkpoint(tmp_path / "x.pt").provenance == merged


def test_run(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "run" / "encoder")
    assert inspect_checkpoint(folder).run is None
    record = {"kind": "finetune", "task": "pr"}
    (tmp_path / "run" / "record.json").write_text(json.dumps(record))
    assert inspect_checkpoint(folder).run == record
    assert find_run(tmp_path / "run") is None


def test_damaged_record(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"expected a JSON object in .*record.json, came"):
        find_run(tmp_path / "encoder")
