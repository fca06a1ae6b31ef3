"""There and back between layouts: the same checkpoint again, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mergekit_speech.errors import CheckpointError, OutputError, SettingsError
from mergekit_speech.layouts import config
from mergekit_speech.layouts.convert import ConvertReport, convert
from mergekit_speech.layouts.read import RUN_PARTS, open_encoder
from tests.layouts.samples import (
    FAMILIES,
    KEYS,
    Sample,
    Shapes,
    equal,
    fairseq_heads,
    fairseq_settings,
    fairseq_state,
    read_folder,
    write_fairseq,
    write_folder,
    write_run,
    write_s3prl,
)
from tests.layouts.test_read import is_sample

EVERY = [(family, large) for family in FAMILIES for large in (False, True)]
SAMPLES = st.builds(
    Sample,
    family=st.sampled_from(FAMILIES),
    large=st.booleans(),
    hidden=st.sampled_from([4, 8, 10]),
    inner=st.integers(1, 9),
    layers=st.integers(1, 3),
    convolutions=st.lists(
        st.tuples(st.sampled_from([3, 6]), st.integers(1, 10), st.integers(1, 5)), min_size=1, max_size=3
    ).map(tuple),
    seed=st.integers(0, 99),
)


FILE = "model.safetensors"


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".safetensors"}


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


@settings(deadline=None, max_examples=20)
@given(sample=SAMPLES, task=st.booleans(), dtype=st.sampled_from(["float32", "float16"]), old_weight_norm=st.booleans())
def test_transformers_to_s3prl_and_back(
    sample: Sample, task: bool, dtype: str, old_weight_norm: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("there")
    heads: Shapes = {"lm_head.weight": (3, sample.hidden)} if task else {}
    prefix = f"{sample.family}." if task else ""
    spelled: dict[str, Any] = {"prefix": prefix, "dtype": dtype, "old_weight_norm": old_weight_norm}
    start = write_folder(root / "start", sample, heads=heads, **spelled)
    convert(start, root / "x.pt", "s3prl")
    convert(root / "x.pt", root / "back", "transformers")
    assert equal(read_folder(root / "back"), read_folder(start))
    assert texts(root / "back") == texts(start)
    convert(root / "back", root / "y.pt", "s3prl")
    assert (root / "y.pt").read_bytes() == (root / "x.pt").read_bytes()


def check_there_and_back(start: Path, key: str, root: Path) -> None:
    convert(start, root / "folder", "transformers")
    convert(root / "folder", root / "y.pt", "s3prl")
    one, other = load(start), load(root / "y.pt")
    first, second = one.pop(key), other.pop(key)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert one == other


@settings(deadline=None, max_examples=20)
@given(sample=SAMPLES.filter(lambda each: each.family != "decoar2"))
def test_s3prl_to_transformers_and_back(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("there")
    check_there_and_back(write_s3prl(root / "x.pt", sample), KEYS[sample.family], root)


def test_decoar2_of_s3prl_to_a_folder_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample("decoar2")
    small = {"encoder_embed_dim": sample.hidden, "encoder_ffn_embed_dim": sample.inner, "encoder_layers": sample.layers}
    for name, size in small.items():
        monkeypatch.setitem(config.DECOAR2, name, size)
    start = write_s3prl(tmp_path / "x.pt", sample)
    state = torch.load(start)["model"] | {"vector_quantizer.embedding": torch.ones(3)}
    torch.save({"model": state}, start)
    check_there_and_back(start, "model", tmp_path)


def test_decoar2_of_a_size_that_its_file_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected 'encoder.layer_norm.weight' of shape \(768,\) .* came \(8,\)"):
        convert(write_s3prl(tmp_path / "x.pt", Sample("decoar2")), tmp_path / "out", "transformers")


@pytest.mark.parametrize(("family", "large"), EVERY[:6])
def test_transformers_loads_it_whole(family: str, large: bool, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModel

    sample = Sample(family, large, convolutions=((6, 10, 5), (6, 3, 2), (6, 2, 2)))
    convert(write_s3prl(tmp_path / "x.pt", sample), tmp_path / "out", "transformers")
    model, report = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values())
    loaded = {name: each.detach().numpy() for name, each in model.state_dict().items()}
    assert equal(loaded, sample.weights())
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "out").do_normalize == large


@pytest.mark.parametrize(("family", "large"), EVERY[:6])
@pytest.mark.parametrize("container", ["transformers", "s3prl"])
def test_run_takes_the_settings_of_its_base(family: str, large: bool, container: str, tmp_path: Path) -> None:
    sample = Sample(family, large, seed=1)
    run = write_run(tmp_path / "run.ckpt", sample)
    base = Sample(family, large)
    like = write_s3prl(tmp_path / "base", base) if container == "s3prl" else write_folder(tmp_path / "base", base)
    report = convert(run, tmp_path / "y.pt", "s3prl", like=like)
    assert set(report.left_out.values()) == set(RUN_PARTS.values()) - {"state of the schedule"}
    assert is_sample(open_encoder(tmp_path / "y.pt"), sample)
    convert(run, tmp_path / "folder", "transformers", like=like)
    assert equal(read_folder(tmp_path / "folder"), sample.weights())
    if container == "s3prl":
        one, other = load(tmp_path / "y.pt"), load(write_s3prl(tmp_path / "x.pt", sample))
        assert all(torch.equal(one[KEYS[family]][name], each) for name, each in other[KEYS[family]].items())


def test_fairseq_without_its_dictionaries_keeps_its_labels_beside(tmp_path: Path) -> None:
    sample = Sample("hubert")
    report = convert(write_fairseq(tmp_path / "x.pt", sample), tmp_path / "y.pt", "s3prl")
    assert not report.filled
    found = load(tmp_path / "y.pt")
    assert found["dictionaries_symbols"] == [None]
    assert found["model_weight"]["final_proj.weight"].shape == (4, sample.hidden)
    assert found["mergekit_speech"]["extra"].keys() == {"label_embs_concat"}
    convert(tmp_path / "y.pt", tmp_path / "folder", "transformers")
    assert equal(read_folder(tmp_path / "folder"), sample.weights())


def test_heads_of_which_the_settings_say_nothing_are_kept_beside(tmp_path: Path) -> None:
    sample = Sample("hubert")
    like = write_folder(tmp_path / "like", sample)
    report = convert(write_run(tmp_path / "run.ckpt", sample), tmp_path / "y.pt", "s3prl", like=like)
    assert report.filled == ("final_proj.bias", "final_proj.weight")
    found = load(tmp_path / "y.pt")
    assert found["model_weight"]["final_proj.weight"].shape == (1, sample.hidden)
    assert found["mergekit_speech"]["extra"].keys() == fairseq_heads(sample).keys()


def test_fairseq_with_its_codebook_keeps_it(tmp_path: Path) -> None:
    sample = Sample("wav2vec2", large=True)
    report = convert(write_fairseq(tmp_path / "x.pt", sample), tmp_path / "y.pt", "s3prl")
    assert not report.filled
    assert load(tmp_path / "y.pt")["model_weight"].keys() == fairseq_state(sample).keys()


def test_mask_embedding_that_is_missing_is_filled_in_and_taken_out(tmp_path: Path) -> None:
    sample = Sample("wavlm")
    start = write_folder(tmp_path / "x", sample)
    tensors = {name: torch.from_numpy(each) for name, each in sample.weights().items() if name != "masked_spec_embed"}
    save_file(tensors, start / FILE)
    assert convert(start, tmp_path / "x.pt", "s3prl").filled == ("mask_emb",)
    convert(tmp_path / "x.pt", tmp_path / "back", "transformers")
    assert equal(read_folder(tmp_path / "back"), read_folder(start))


def test_provenance_goes_along(tmp_path: Path) -> None:
    sample = Sample("wavlm")
    start = write_folder(tmp_path / "x", sample)
    metadata = {"format": "pt", "recipe": "merge: …"}
    save_file({name: torch.from_numpy(each) for name, each in sample.weights().items()}, start / FILE, metadata)
    (start / "recipe.yaml").write_text("merge: …\n")
    convert(start, tmp_path / "x.pt", "s3prl")
    convert(tmp_path / "x.pt", tmp_path / "back", "transformers")
    assert open_encoder(tmp_path / "back").metadata == metadata
    assert texts(tmp_path / "back") == texts(start)


def test_settings_changed_since_are_translated_anew(tmp_path: Path) -> None:
    convert(write_folder(tmp_path / "x", Sample("wavlm")), tmp_path / "x.pt", "s3prl")
    found = torch.load(tmp_path / "x.pt")
    found["cfg"]["encoder_attention_heads"] = 4
    torch.save(found, tmp_path / "x.pt")
    convert(tmp_path / "x.pt", tmp_path / "back", "transformers")
    assert json.loads((tmp_path / "back" / "config.json").read_text())["num_attention_heads"] == 4


def test_files_kept_in_a_file_stay_in_their_folder(tmp_path: Path) -> None:
    convert(write_folder(tmp_path / "x", Sample(), prefix="hubert."), tmp_path / "x.pt", "s3prl")
    found = torch.load(tmp_path / "x.pt")
    found["mergekit_speech"]["files"] |= {"../evil.txt": "x", "run.py": "x", ".hidden.json": "x", "vocab.json": "{}"}
    torch.save(found, tmp_path / "x.pt")
    convert(tmp_path / "x.pt", tmp_path / "back", "transformers")
    assert texts(tmp_path / "back").keys() == {"config.json", "preprocessor_config.json", "vocab.json"}
    assert not (tmp_path / "evil.txt").exists()


def refused(tmp_path: Path, source: Path, layout: str = "s3prl", **options: Any) -> ConvertReport:
    before = sorted(tmp_path.iterdir())
    try:
        return convert(source, tmp_path / "out", layout, **options)
    finally:
        assert sorted(tmp_path.iterdir()) == before


def test_family_that_is_unknown(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample())
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(
        CheckpointError, match=r"of the families hubert, wav2vec2, wavlm, decoar2 in .*, came 'bert'; give"
    ):
        refused(tmp_path, folder)


def test_settings_of_another_family(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.ckpt", Sample("hubert"))
    with pytest.raises(CheckpointError, match=r"expected settings of a hubert encoder in .*, came a wavlm one"):
        refused(tmp_path, run, like=write_folder(tmp_path / "like", Sample("wavlm")))


def test_no_settings(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.ckpt", Sample("hubert"))
    with pytest.raises(
        CheckpointError,
        match=r"came none, as in all files of the kind 's3prl run'; take the settings .* with msm convert",
    ):
        refused(tmp_path, run)


def test_folder_without_config(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample("wavlm"))
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"expected config.json in .*, came none; fetch it, or take the set"):
        refused(tmp_path, folder)


def test_settings_of_a_folder_without_any(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.ckpt", Sample("wavlm"))
    like = write_folder(tmp_path / "like", Sample("wavlm"))
    (like / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"expected config.json in .*like, came none; fetch it"):
        refused(tmp_path, run, like=like)


@pytest.mark.parametrize(
    "ours",
    [{"filled": 3, "files": []}, {"filled": [[1]], "files": {"config.json": 3}}, {"files": {"config.json": "{"}}, 5],
)
def test_what_was_kept_is_damaged(ours: object, tmp_path: Path) -> None:
    start = write_s3prl(tmp_path / "x.pt", Sample())
    torch.save(torch.load(start) | {"mergekit_speech": ours}, start)
    convert(start, tmp_path / "out", "transformers")
    assert equal(read_folder(tmp_path / "out"), Sample().weights())


def test_parameters_that_s3prl_lacks(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", Sample(), heads={"encoder.layers.0.adapter_layer.norm.weight": (8,)})
    with pytest.raises(
        CheckpointError, match=r"came 'encoder.layers.0.adapter_layer.norm.weight' \(1 in all\); it has no"
    ):
        refused(tmp_path, folder)


def test_convolutions_as_wide_as_the_layers(tmp_path: Path) -> None:
    sample = Sample(convolutions=((8, 10, 5),))
    folder = write_folder(tmp_path / "x", sample)
    with pytest.raises(
        CheckpointError, match=r"came 8 channels for both; s3prl has no feature_projection.projection then"
    ):
        refused(tmp_path, folder)
    state = {name: each for name, each in fairseq_state(sample).items() if not name.startswith("post_extract_proj")}
    torch.save({**fairseq_settings(sample), "model_weight": state}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"expected post_extract_proj in .*, came none"):
        refused(tmp_path, tmp_path / "x.pt", "transformers")
    convert(tmp_path / "x.pt", tmp_path / "y.pt", "s3prl")
    assert load(tmp_path / "y.pt")["model_weight"].keys() == state.keys()


def test_projection_that_is_missing(tmp_path: Path) -> None:
    sample = Sample()
    state = {name: each for name, each in fairseq_state(sample).items() if not name.startswith("post_extract_proj")}
    torch.save({**fairseq_settings(sample), "model_weight": state}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"expected 'feature_projection.projection.weight' of shape \(8, 6\)"):
        refused(tmp_path, tmp_path / "x.pt")


def test_settings_alone_are_taken_from_another_checkpoint(tmp_path: Path) -> None:
    sample = Sample("wavlm", seed=1)
    like = write_folder(tmp_path / "like", Sample("wavlm"), prefix="wavlm.")
    (like / "README.md").write_text("about the base\n")
    convert(write_run(tmp_path / "run.ckpt", sample), tmp_path / "out", "transformers", like=like)
    assert texts(tmp_path / "out").keys() == {"config.json", "preprocessor_config.json"}
    assert equal(read_folder(tmp_path / "out"), sample.weights())


def test_folder_stays_as_it_is(tmp_path: Path) -> None:
    start = write_folder(tmp_path / "x", Sample(more={"layer_norm_eps": 1e-6}), prefix="hubert.")
    convert(start, tmp_path / "out", "transformers")
    assert equal(read_folder(tmp_path / "out"), read_folder(start))
    assert texts(tmp_path / "out") == texts(start)


def test_layout_that_there_is_none_of(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a layout out of transformers, s3prl, came 'onnx'"):
        refused(tmp_path, tmp_path, "onnx")


def test_output_that_exists(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "x", Sample())
    (tmp_path / "y.pt").write_text("mine")
    with pytest.raises(
        OutputError, match=r"expected a new file to write, came .*y.pt, which exists; choose another, or"
    ):
        convert(source, tmp_path / "y.pt", "s3prl")
    assert (tmp_path / "y.pt").read_text() == "mine"
    convert(source, tmp_path / "y.pt", "s3prl", overwrite=True)
    assert is_sample(open_encoder(tmp_path / "y.pt"), Sample())
    with pytest.raises(OutputError, match="which is a folder"):
        convert(source, source, "s3prl", overwrite=True)
