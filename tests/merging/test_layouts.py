"""Base and tuned encoder in files of different programs are paired by what parameters are, not by their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from mergekit_speech import merge
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.layouts.convert import convert
from mergekit_speech.layouts.read import open_encoder
from mergekit_speech.merging.verify import verify_output
from mergekit_speech.shards.reader import Weights
from tests.layouts.samples import (
    BOTH,
    CTC,
    KEYS,
    Array,
    Sample,
    Shapes,
    antiquated,
    draw,
    equal,
    fairseq_heads,
    fairseq_name,
    fairseq_settings,
    read_folder,
    tune,
    write_bin,
    write_fairseq,
    write_folder,
    write_run,
    write_s3prl,
    write_spin,
    write_task,
)

ALPHA = 0.25
CLASSES: Shapes = {f"{part}.{leaf}": (3,) for part in ("projector", "classifier") for leaf in BOTH}


WRITERS: Mapping[str, Callable[[Path, Sample], Path]] = {
    "transformers": write_folder,
    "task model": write_task,
    "bin": write_bin,
    "s3prl": write_s3prl,
    "s3prl run": write_run,
    "Spin": write_spin,
    "fairseq": write_fairseq,
}


def canonical(path: Path) -> dict[str, Array]:
    """The encoder's float32 values by canonical names."""
    encoder = open_encoder(path)
    found: dict[str, Array] = {}
    with Weights(encoder) as weights:
        for name, parameter in encoder.parameters.items():
            values = np.empty(parameter.shape, np.float32)
            weights.read_into(name, values.reshape(-1).view(np.uint8).data)
            found[name] = values
    return found


def expected(sample: Sample) -> dict[str, Array]:
    a = np.float32(ALPHA)
    tuned = tune(sample).weights()
    return {name: (np.float32(1) - a) * each + a * tuned[name] for name, each in sample.weights().items()}


@pytest.mark.parametrize("of_tuned", WRITERS)
@pytest.mark.parametrize("of_base", WRITERS)
def test_every_pair_of_layouts(of_base: str, of_tuned: str, tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = WRITERS[of_base](tmp_path / "base", sample)
    tuned = WRITERS[of_tuned](tmp_path / "tuned", tune(sample))
    if {of_base, of_tuned} <= {"s3prl run", "Spin"}:
        with pytest.raises(Exception, match=r"expected settings of the encoder in .*base or in what .*; make a folder"):
            merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
        return
    merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
    assert equal(canonical(tmp_path / "out"), expected(sample))
    names = set(read_folder(tmp_path / "out"))
    if of_base in ("transformers", "task model", "bin"):
        spelled = {antiquated(name) if of_base == "bin" else name for name in sample.shapes()}
        assert names == ({f"hubert.{name}" for name in spelled} | set(CTC) if of_base == "task model" else spelled)
        assert (tmp_path / "out" / "config.json").read_bytes() == (base / "config.json").read_bytes()
    else:
        assert names == set(sample.shapes())
        assert json.loads((tmp_path / "out" / "config.json").read_text())["hidden_size"] == sample.hidden


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("family", ["hubert", "wav2vec2", "wavlm"])
def test_merging_and_converting_may_change_places(family: str, large: bool, tmp_path: Path) -> None:
    sample = Sample(family, large)
    base = write_s3prl(tmp_path / "base.pt", sample)
    tuned = write_s3prl(tmp_path / "tuned.pt", tune(sample), head_seed=10)
    merge(base, tuned, alpha=ALPHA, output=tmp_path / "merged")
    convert(tmp_path / "merged", tmp_path / "merged.pt", "s3prl")
    for path in (base, tuned):
        convert(path, tmp_path / path.stem, "transformers")
    merge(tmp_path / "base", tmp_path / "tuned", alpha=ALPHA, output=tmp_path / "other")
    convert(tmp_path / "other", tmp_path / "other.pt", "s3prl")
    one, other = (torch.load(tmp_path / name, weights_only=False) for name in ("merged.pt", "other.pt"))
    key = KEYS[family]
    assert equal(*({name: each.numpy() for name, each in found[key].items()} for found in (one, other)))
    heads = draw(fairseq_heads(sample), 9)
    assert equal({name: one[key][name].numpy() for name in heads}, heads)
    assert {name: one[name] for name in fairseq_settings(sample)} == fairseq_settings(sample)


def test_merging_and_converting_may_change_places_for_decoar2(tmp_path: Path) -> None:
    sample = Sample("decoar2")
    base, tuned = write_folder(tmp_path / "base", sample), write_folder(tmp_path / "tuned", tune(sample))
    merge(base, tuned, alpha=ALPHA, output=tmp_path / "merged")
    for path in (base, tuned):
        convert(path, tmp_path / f"{path.name}.pt", "s3prl")
    merge(tmp_path / "base.pt", tmp_path / "tuned.pt", alpha=ALPHA, output=tmp_path / "other")
    assert equal(read_folder(tmp_path / "merged"), read_folder(tmp_path / "other"))
    assert (tmp_path / "merged" / "config.json").read_bytes() == (tmp_path / "other" / "config.json").read_bytes()


def test_heads_that_all_have_are_merged(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_task(tmp_path / "base", sample, CTC, 1)
    tuned = write_task(tmp_path / "tuned", tune(sample), CTC, 2)
    report = merge(base, tuned, alpha=0.5, output=tmp_path / "out")
    found = read_folder(tmp_path / "out")
    for name, one in draw(CTC, 1).items():
        assert np.array_equal(found[name], np.float32(0.5) * one + np.float32(0.5) * draw(CTC, 2)[name])
    assert (report.copied, report.kept) == (0, {})
    assert all(not (each.mapped or each.left_out) for each in report.namings)


@pytest.mark.parametrize("heads", [CLASSES, {"lm_head.weight": (7, 8), "lm_head.bias": (7,)}])
def test_other_heads_are_left_out(heads: Shapes, tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_task(tmp_path / "base", sample, CTC, 1)
    tuned = write_task(tmp_path / "tuned", tune(sample), heads, 2)
    report = merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
    found = read_folder(tmp_path / "out")
    assert all(np.array_equal(found[name], each) for name, each in draw(CTC, 1).items())
    assert found.keys() == {*CTC, *(f"hubert.{name}" for name in sample.shapes())}
    assert report.kept == dict.fromkeys(sorted(CTC), "kept from the base, head of a task model")
    assert report.namings[1].left_out == dict.fromkeys(sorted(heads), "head of a task model")


def test_what_only_pretraining_has_keeps_the_values_of_the_base(tmp_path: Path) -> None:
    sample = Sample("wav2vec2")
    heads: Shapes = {"quantizer.codevectors": (1, 6, 2), "project_hid.weight": (4, 8), "project_q.weight": (4, 4)}
    base = write_task(tmp_path / "base", sample, heads, 1)
    tuned = write_task(tmp_path / "tuned", tune(sample), heads, 2)
    report = merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
    found = read_folder(tmp_path / "out")
    assert all(np.array_equal(found[name], each) for name, each in draw(heads, 1).items())
    assert report.kept == dict.fromkeys(sorted(heads), "kept from the base, only for pre-training")


def test_mask_embedding_may_lack(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_folder(tmp_path / "base", sample)
    tuned = write_task(tmp_path / "tuned", replace(tune(sample), lacks=("masked_spec_embed",)))
    report = merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
    assert report.kept == {"masked_spec_embed": "kept from the base, only for training with masks"}
    merge(tuned, base, alpha=ALPHA, output=tmp_path / "back")
    assert "hubert.masked_spec_embed" not in read_folder(tmp_path / "back")


def test_report_tells_the_names(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_folder(tmp_path / "base", sample)
    tuned = write_s3prl(tmp_path / "tuned.pt", tune(sample))
    report = merge(base, tuned, alpha=ALPHA, output=tmp_path / "out")
    (one, other) = report.namings
    assert (one.mapped, one.left_out, one.beside, one.family) == ({}, {}, {}, "hubert")
    assert other.layout == "s3prl, names of fairseq"
    assert other.mapped == {
        fairseq_name(name, large=False): name for name in sample.shapes() if fairseq_name(name, large=False) != name
    }
    assert other.left_out == dict.fromkeys(fairseq_heads(sample), "only for pre-training")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "tuned.pt (s3prl, names of fairseq): " in card
    assert "3 left out, only for pre-training: final_proj.weight, final_proj.bias, label_embs_concat." in card


def test_what_a_file_keeps_beside_is_told(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_s3prl(tmp_path / "base.pt", sample)
    report = merge(base, write_folder(tmp_path / "tuned", tune(sample)), alpha=ALPHA, output=tmp_path / "out")
    assert report.namings[0].beside == dict.fromkeys(fairseq_heads(sample), "only for pre-training")
    beside: dict[str, Any] = load_file(tmp_path / "out" / "s3prl.safetensors")
    assert equal(beside, draw(fairseq_heads(sample), 9))


def test_run_that_was_tuned_from_a_file(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_s3prl(tmp_path / "base.pt", sample)
    (tmp_path / "run").mkdir()
    write_folder(tmp_path / "run" / "encoder", tune(sample))
    record = {"base": {"path": str(base), "digest": encoder_digest(base)}}
    (tmp_path / "run" / "record.json").write_text(json.dumps(record))
    report = merge(None, tmp_path / "run", alpha=ALPHA, output=tmp_path / "out")
    assert report.digests[0] == encoder_digest(base)
    assert equal(canonical(tmp_path / "out"), expected(sample))
    assert verify_output(tmp_path / "out").differences == ()


def test_layers_that_are_kept_may_lack(tmp_path: Path) -> None:
    sample = Sample("hubert")
    base = write_folder(tmp_path / "base", sample)
    tuned = write_folder(tmp_path / "tuned", replace(tune(sample), layers=1))
    report = merge(base, tuned, alpha=ALPHA, keep=["encoder.layers.1.*"], output=tmp_path / "out")
    assert report.kept == {name: "kept from the base" for name in sample.shapes() if ".layers.1." in name}


@pytest.mark.parametrize("model_type", [None, ["hubert"], "bert"])
def test_folders_of_other_models_pair_by_stored_names(model_type: object, tmp_path: Path) -> None:
    sample = Sample("hubert")
    folders = []
    for name, each in (("base", sample), ("tuned", tune(sample))):
        heads: Shapes = {"final_proj.weight": (2, 8)}
        folders.append(write_folder(tmp_path / name, each, prefix="x.", heads=heads, head_seed=len(name)))
        (folders[-1] / "config.json").write_text(json.dumps({"model_type": model_type}))
    report = merge(*folders, alpha=ALPHA, output=tmp_path / "out")
    assert (report.kept, report.namings) == ({}, ())
