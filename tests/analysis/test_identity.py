"""Which encoder a checkpoint holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mergekit_speech.analysis.identity import Identity, identify
from mergekit_speech.encoders.family import families
from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.read import open_encoder
from mergekit_speech.shards.header import Parameter, build_header
from mergekit_speech.testing import tiny_checkpoint
from tests.layouts.samples import FAMILIES, Sample, Shapes, fairseq_name, fairseq_state, write_folder, write_s3prl

CNN = ((512, 10, 5), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 2, 2), (512, 2, 2))
PUBLISHED = [
    ("hubert", False, 768, 12, "Base"),
    ("hubert", True, 1024, 24, "Large"),
    ("hubert", True, 1280, 48, "XL"),
    ("wav2vec2", False, 768, 12, "Base"),
    ("wav2vec2", False, 1024, 24, "Large"),
    ("wav2vec2", True, 1024, 24, "Large LV-60 or XLSR"),
    ("wav2vec2", True, 1280, 48, "XLS-R 1B"),
    ("wav2vec2", True, 1920, 48, "XLS-R 2B"),
    ("wavlm", False, 768, 12, "Base or Base+"),
    ("wavlm", True, 1024, 24, "Large"),
    ("decoar2", False, 768, 12, "Base"),
    ("hubert", False, 384, 12, None),
]


def look(path: Path) -> Identity:
    return identify(open_encoder(path))


def write_headers(path: Path, shapes: Shapes) -> None:
    """A file whose weights are a hole, so that it costs no disk."""
    parameters = [Parameter(name, "F32", shape) for name, shape in shapes.items()]
    with path.open("wb") as file:
        file.write(build_header(parameters, {"format": "pt"}))
        file.truncate(file.tell() + sum(each.size for each in parameters))


@pytest.mark.parametrize(("family", "large", "dim", "layers", "size"), PUBLISHED)
def test_sizes_as_they_were_published(
    family: str, large: bool, dim: int, layers: int, size: str | None, tmp_path: Path
) -> None:
    sample = Sample(family, large, hidden=dim, inner=4 * dim, layers=layers, convolutions=CNN)
    (tmp_path / "config.json").write_text(json.dumps(sample.config()))
    write_headers(tmp_path / "model.safetensors", sample.shapes())
    found = look(tmp_path)
    assert (found.size, found.dim, found.layers) == (size, dim, layers)
    assert found.title == families()[family].title


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_layouts_tell_the_same(family: str, large: bool, tmp_path: Path) -> None:
    sample = Sample(family, large)
    folder = look(write_folder(tmp_path / "folder", sample))
    file = look(write_s3prl(tmp_path / "x.pt", sample))
    for each in (folder, file):
        assert (each.family, each.size, each.dim, each.layers) == (family, None, 8, 2)
        assert each.norm == (None if family == "decoar2" else "layer" if large else "group")
        assert each.normalize == (None if family == "decoar2" else large)
    assert folder.settings
    assert file.settings is (family != "decoar2")
    assert set(folder.frozen) == {name for name in sample.shapes() if name.startswith("feature_extractor.")}
    assert (set(folder.frozen), set(folder.merged)) == (set(file.frozen), set(file.merged))
    assert {*folder.frozen, *folder.merged} == set(sample.shapes())
    assert file.layout.container == "s3prl"


def test_what_is_left_out_says_why(tmp_path: Path) -> None:
    heads = {"lm_head.weight": (5, 8), "lm_head.bias": (5,)}
    found = look(write_folder(tmp_path / "x", Sample("wavlm"), prefix="wavlm.", heads=heads))
    assert found.left_out == dict.fromkeys(heads, "head of a task model")


def test_file_without_settings(tmp_path: Path) -> None:
    torch.save({"state_dict": fairseq_state(Sample("hubert"), prefix="encoder.model.")}, tmp_path / "spin.ckpt")
    found = look(tmp_path / "spin.ckpt")
    assert (found.family, found.settings, found.normalize) == ("hubert", False, None)


def test_decoar2_of_the_published_size_needs_no_settings(tmp_path: Path) -> None:
    sample = Sample("decoar2", hidden=768, inner=3072, layers=12)
    shapes = {fairseq_name(name, large=False): shape for name, shape in sample.shapes().items()}
    write_headers(tmp_path / "x.safetensors", shapes)
    found = look(tmp_path / "x.safetensors")
    assert (found.title, found.size, found.settings, found.frozen) == ("DeCoAR 2.0", "Base", True, ())


def test_family_that_nothing_names(tmp_path: Path) -> None:
    save_file(fairseq_state(Sample("hubert"), heads=False), tmp_path / "x.safetensors")
    found = look(tmp_path / "x.safetensors")
    assert (found.family, found.title, found.size, found.norm) == (None, None, None, "group")
    assert found.frozen


def test_family_of_another_toolkit(tmp_path: Path) -> None:
    found = look(tiny_checkpoint(tmp_path / "x"))
    assert (found.family, found.title, found.dim, found.norm, found.frozen) == ("tiny", None, None, None, ())


def test_kin(kin: Path) -> None:
    found = look(kin)
    assert (found.family, found.layers, found.dim) == (kin.name, 2, 32)
    prefixes = families()[kin.name].frozen
    assert set(found.frozen) == {name for name in (*found.frozen, *found.merged) if name.startswith(prefixes)}
    assert (found.scaling, found.normalize) == (families()[kin.name].scaling.value, None)


def test_settings_of_another_size(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample("hubert"))
    (folder / "config.json").write_text(json.dumps(Sample("hubert", hidden=12).config()))
    with pytest.raises(CheckpointError, match="as its settings say, came"):
        look(folder)
