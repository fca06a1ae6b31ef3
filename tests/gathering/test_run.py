"""Whole gatherings: what they leave, what they refuse, and that merging can use it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError, DataError, OutputError, SettingsError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.gathering.gram import measure_gram
from mergekit_speech.gathering.run import gather_statistics
from mergekit_speech.gathering.settings import GatherSettings
from mergekit_speech.layouts.convert import convert
from mergekit_speech.merging.memory import merge_state_dicts
from mergekit_speech.merging.merge import merge
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.manifest import read_manifest

FEW = GatherSettings(clips=3)


@pytest.fixture(scope="module")
def statistics(run: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both kinds, of a run's encoder with the run's own head."""
    folder = tmp_path_factory.mktemp("statistics") / "pr"
    gather_statistics(run, data=toy, output=folder, settings=FEW)
    return folder


def test_names_and_shapes_are_those_of_the_checkpoint(statistics: Path, run: Path) -> None:
    weights = load_file(run / "encoder" / "model.safetensors")
    fisher, gram = (load_file(statistics / f"{kind}.safetensors") for kind in ("fisher", "gram"))
    assert {name: values.shape for name, values in fisher.items()} == {name: w.shape for name, w in weights.items()}
    assert all(matrix.shape == (weights[name].shape[1],) * 2 for name, matrix in gram.items())
    assert all(bool((values >= 0).all()) for values in fisher.values())
    assert {path.name for path in statistics.iterdir()} == {
        "fisher.safetensors",
        "gram.safetensors",
        "statistics.json",
    }


def test_the_record_tells_encoder_head_data_and_settings(statistics: Path, run: Path, toy: Path) -> None:
    record = json.loads((statistics / "statistics.json").read_text())
    assert record["encoder"] == {"path": str(run / "encoder"), "digest": weights_digest(run / "encoder")}
    assert (record["head"], record["task"], record["data"]["path"]) == (str(run), "pr", str(toy))
    assert record["settings"] == {"kinds": ["fisher", "gram"], "clips": 3, "split": "train", "seed": 0}
    assert record["clips"] == 3
    assert record["versions"]["torch"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_hears_other_clips(
    statistics: Path, run: Path, toy: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        settings = GatherSettings(("gram",), clips=3, seed=seed)
        gather_statistics(run, data=toy, output=tmp_path / str(seed), settings=settings)
    first, other = ((tmp_path / name / "gram.safetensors").read_bytes() for name in "01")
    assert first == (statistics / "gram.safetensors").read_bytes() != other


def test_gram_needs_neither_a_head_nor_labels(tiny_encoder: Path, speech: Path, tmp_path: Path) -> None:
    settings = GatherSettings(("gram",), clips=2, split="valid")
    report = gather_statistics(
        tiny_encoder, data=speech, task="unlabelled_en", output=tmp_path / "out", settings=settings
    )
    found = load_file(tmp_path / "out" / "gram.safetensors")
    assert (report.clips, report.parameters) == (2, {"gram": len(found)})
    record = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert record["head"] is None


def test_fisher_alone_with_the_head_of_another_run(tiny_hubert: Path, run: Path, toy: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    report = gather_statistics(
        tiny_hubert,
        data=toy,
        head=run,
        output=tmp_path / "out",
        settings=GatherSettings(("fisher",), clips=2),
        progress=lambda *event: told.append(event),
    )
    assert told == [("fisher", 1, 2), ("fisher", 2, 2)]
    assert report.parameters == {"fisher": len(load_file(tmp_path / "out" / "fisher.safetensors"))}
    # The corpus' training clips last 0.4 to 0.62 s.
    assert 0.8 < report.seconds < 1.24


def test_a_task_model_gets_its_own_names(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ctc"
    folder.mkdir()
    (folder / "config.json").write_bytes((tiny_hubert / "config.json").read_bytes())
    weights = load_file(tiny_hubert / "model.safetensors")
    head = {"lm_head.weight": torch.zeros(3, 32)}
    save_file({**{f"hubert.{name}": each for name, each in weights.items()}, **head}, folder / "model.safetensors")
    settings = GatherSettings(("gram",), clips=1)
    gather_statistics(folder, data=toy, task="pr", output=tmp_path / "out", settings=settings)
    assert "hubert.encoder.layers.0.attention.q_proj.weight" in load_file(tmp_path / "out" / "gram.safetensors")


def test_a_file_of_another_program_gives_the_same(run: Path, statistics: Path, toy: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.pt"
    convert(run / "encoder", file, "s3prl")
    report = gather_statistics(file, data=toy, output=tmp_path / "out", settings=FEW, head=run)
    for kind, count in report.parameters.items():
        one, other = (load_file(folder / f"{kind}.safetensors") for folder in (statistics, tmp_path / "out"))
        assert count == len(one)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    record = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert record["encoder"] == {"path": str(file), "digest": weights_digest(run / "encoder")}


def test_what_the_checkpoint_lacks_has_no_statistics(tiny_hubert: Path, run: Path, toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(tiny_hubert, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    settings = GatherSettings(("fisher",), clips=1)
    gather_statistics(folder, data=toy, output=tmp_path / "out", settings=settings, head=run)
    assert load_file(tmp_path / "out" / "fisher.safetensors").keys() == weights.keys()


@pytest.mark.parametrize(("strategy", "kind"), [("fisher", "fisher"), ("regmean", "gram")])
def test_merging_reads_them(
    strategy: str, kind: str, statistics: Path, run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    finetune(tiny_hubert, task="pr", data=toy, output=tmp_path / "run", steps=3, clips=2, head_only=0.34, seed=1)
    gather_statistics(tmp_path / "run", data=toy, output=tmp_path / "other", settings=FEW)
    runs, places = [run, tmp_path / "run"], [statistics, tmp_path / "other"]
    merge(None, runs, strategy=strategy, statistics=places, output=tmp_path / "out")
    folders = [each / "encoder" for each in runs]
    states = [load_numpy(folder / "model.safetensors") for folder in folders]
    found = [{kind: load_numpy(place / f"{kind}.safetensors")} for place in places]
    expected = merge_state_dicts(None, states, strategy=strategy, statistics=found)
    merged = load_numpy(tmp_path / "out" / "model.safetensors")
    assert all(merged[name].tobytes() == values.tobytes() for name, values in expected.items())
    assert any(merged[name].tobytes() != values.tobytes() for name, values in states[0].items())


def test_merging_by_them_keeps_each_encoders_outputs_better_than_the_mean(
    run: Path, tiny_hubert: Path, toy: Path
) -> None:
    """RegMean on what was gathered: nearer to the encoders' own outputs, on their own inputs, than the plain mean."""
    folders, name = (run / "encoder", tiny_hubert), "feature_projection.projection.weight"
    clips, audio = [clip for clip in read_manifest(toy, "pr") if clip.split == "train"], AudioStore()
    halves = clips[0::2], clips[1::2]
    grams = [
        measure_gram(load_encoder(folder), half, audio, lambda: None)[name].numpy()
        for folder, half in zip(folders, halves, strict=True)
    ]
    states = [{name: load_file(folder / "model.safetensors")[name].numpy()} for folder in folders]
    statistics = [{"gram": {name: gram}} for gram in grams]
    merged = merge_state_dicts(None, states, strategy="regmean", statistics=statistics, reduce=1.0)[name]
    mean = (states[0][name] + states[1][name]) / 2

    def error(weight: Any) -> float:
        changes = [weight - state[name] for state in states]
        return float(sum((change @ gram * change).sum() for change, gram in zip(changes, grams, strict=True)))

    assert error(merged) < error(mean)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"head": None}, SettingsError, "expected a task head for fisher, came none: name a run of msm finetune"),
        ({"task": "ks"}, SettingsError, r"expected the task of the head of .*, 'pr', came 'ks': leave --task out"),
        (
            {"settings": GatherSettings(("gram",)), "head": None},
            SettingsError,
            "expected a task to hear, came none: name a folder of the data with --task",
        ),
        (
            {"settings": GatherSettings(split="dev")},
            DataError,
            r"has split 'dev': choose --split out of test, train, valid",
        ),
    ],
)
def test_what_cannot_be_gathered_is_said_and_leaves_nothing(
    changes: dict[str, Any], error: type[Exception], said: str, run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    arguments = {"data": toy, "head": run, "settings": FEW, **changes}
    with pytest.raises(error, match=said):
        gather_statistics(tiny_hubert, output=tmp_path / "out", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_clip_that_fails_leaves_nothing(run: Path, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "pr").mkdir(parents=True)
    rows = (toy / "pr" / "manifest.jsonl").read_text()
    (tmp_path / "data" / "pr" / "manifest.jsonl").write_text(rows)
    with pytest.raises(DataError, match=r"clip .*\.wav does not exist"):
        gather_statistics(run, data=tmp_path / "data", output=tmp_path / "out", settings=FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_clip_without_an_answer_is_refused_for_fisher_only(run: Path, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "pr").mkdir()
    rows = [json.loads(line) for line in (toy / "pr" / "manifest.jsonl").read_text().splitlines()]
    lines = (json.dumps({**row, "path": str(toy / row["path"]), "phones": None}) for row in rows)
    (tmp_path / "pr" / "manifest.jsonl").write_text("\n".join(lines).replace(', "phones": null', ""))
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: missing field 'phones'"):
        gather_statistics(run, data=tmp_path, output=tmp_path / "out", settings=FEW)
    gather_statistics(run, data=tmp_path, output=tmp_path / "out", settings=GatherSettings(("gram",), clips=1))
    assert (tmp_path / "out" / "gram.safetensors").is_file()


def test_a_run_without_an_encoder_is_not_finished(run: Path, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes((run / "record.json").read_bytes())
    with pytest.raises(CheckpointError, match="has no encoder yet: finish it with --resume"):
        gather_statistics(tmp_path, data=toy, output=tmp_path / "out")


def test_what_is_there_is_replaced_only_if_asked(statistics: Path, run: Path, toy: Path) -> None:
    with pytest.raises(OutputError, match="exists; choose another folder, or give --overwrite"):
        gather_statistics(run, data=toy, output=statistics, settings=FEW)
    before = (statistics / "fisher.safetensors").read_bytes()
    gather_statistics(run, data=toy, output=statistics, settings=FEW, overwrite=True)
    assert (statistics / "fisher.safetensors").read_bytes() == before
