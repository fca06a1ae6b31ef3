"""Continued pre-training: codes by the base itself or by k-means, masks over whole clips, runs from both layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from mergekit_speech.encoders.codebook import Codebook, read_codebook
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError, DataError, Interrupted, SettingsError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.unsupervised import CodeBatches, CodeHead, Unlabelled, unlabelled_lesson
from mergekit_speech.layouts.convert import convert
from mergekit_speech.pretraining.masking import Masking
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.manifest import read_manifest
from tests.finetuning.conftest import CODE_DIM, CODES
from tests.finetuning.test_run import StopAt

SETTINGS = FinetuneSettings(
    steps=4, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=2, head_only=0.25, seed=3
)
SOUNDS = Unlabelled(("ks",), clusters=4)


def test_codebook_is_read_from_both_layouts(with_codebook: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    book = read_codebook(with_codebook)
    assert isinstance(book, Codebook)
    assert book.codes.shape == (CODES, CODE_DIM)
    stored = load_file(with_codebook / "model.safetensors")
    assert torch.equal(book.weight, stored["final_proj.weight"])
    assert torch.equal(book.bias, stored["final_proj.bias"])
    convert(with_codebook, tmp_path / "with.pt", "s3prl")
    again = read_codebook(tmp_path / "with.pt")
    assert again is not None
    assert torch.equal(again.codes, book.codes)
    assert read_codebook(tiny_hubert) is None
    # s3prl's model asks for a head, so one of zeros is filled in: it names nothing.
    convert(tiny_hubert, tmp_path / "without.pt", "s3prl")
    assert read_codebook(tmp_path / "without.pt") is None


def test_targets_are_what_the_frozen_base_names_without_masks(with_codebook: Path, toy: Path) -> None:
    torch.manual_seed(0)
    lesson = unlabelled_lesson(load_encoder(with_codebook), with_codebook, Unlabelled(("ks",)), toy, SETTINGS)
    clips = read_manifest(toy, "ks")[:3]
    batch = lesson.feed.collate(clips, 0)
    encoder, stored = load_encoder(with_codebook).eval(), load_file(with_codebook / "model.safetensors")
    for row, clip in enumerate(clips):
        samples = torch.from_numpy(AudioStore().read(clip))[None]
        with torch.no_grad():
            hidden = encoder(samples, torch.tensor([samples.shape[1]])).last[0]
        projected = functional.linear(hidden, stored["final_proj.weight"], stored["final_proj.bias"])
        cosine = functional.cosine_similarity(projected[:, None], stored["label_embs_concat"][None], dim=-1)
        assert torch.equal(batch.codes[row, : len(hidden)], cosine.argmax(dim=-1))
    assert lesson.facts["targets"] == "codebook"


@pytest.mark.parametrize("masking", [Masking(), Masking(3, 0.3)])
def test_masks_hide_something_of_every_clip_and_nothing_behind_its_end(
    tiny_hubert: Path, toy: Path, masking: Masking
) -> None:
    encoder, clips = load_encoder(tiny_hubert), read_manifest(toy, "ks")
    counts = [int(encoder.frames(torch.tensor(len(AudioStore().read(clip))))) for clip in clips]
    codes = {clip.path: np.arange(count) for clip, count in zip(clips, counts, strict=True)}
    make = CodeBatches(encoder, AudioStore(), codes, 0, masking)
    batch = make(clips, 7)
    again = make(clips, 7)
    assert torch.equal(batch.masked, again.masked)
    assert not torch.equal(batch.masked, make(clips, 8).masked)
    for row, count in enumerate(counts):
        assert batch.masked[row, :count].any()
        assert not batch.masked[row, count:].any()
        assert batch.codes[row, :count].tolist() == list(range(count))


def test_loss_is_over_masked_frames_alone_and_codes_stay(with_codebook: Path, toy: Path) -> None:
    torch.manual_seed(0)
    lesson = unlabelled_lesson(load_encoder(with_codebook), with_codebook, Unlabelled(("ks",)), toy, SETTINGS)
    learner, clips = lesson.learner.eval(), read_manifest(toy, "ks")[:3]
    batch = lesson.feed.collate(clips, 0)
    with torch.no_grad():
        hidden = learner.encoder(batch.waveforms, batch.lengths, batch.masked).last
        logits = learner.head(hidden)
        each = functional.cross_entropy(logits.transpose(1, 2), batch.codes, reduction="none")
        assert float(learner(batch)) == pytest.approx(float(each[batch.masked].mean()), rel=1e-5)
    assert isinstance(learner.head, CodeHead)
    assert "label_embs_concat" not in dict(learner.head.named_parameters())
    assert {id(each) for each in learner.head.parameters()} <= {id(each) for each in learner.trained()}


def test_run_leaves_encoder_head_and_record_and_resumes_to_the_bit(
    with_codebook: Path, toy: Path, tmp_path: Path
) -> None:
    report = finetune(with_codebook, unlabelled=SOUNDS, data=toy, output=tmp_path / "run", settings=SETTINGS)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (record["task"], record["targets"], record["unlabelled"]) == ("unlabelled", "codebook", ["ks"])
    assert set(report.valid) == set(report.test) == {"loss", "accuracy"}
    head = load_file(tmp_path / "run" / "head" / "head.safetensors")
    assert torch.equal(head["label_embs_concat"], load_file(with_codebook / "model.safetensors")["label_embs_concat"])
    with pytest.raises(Interrupted):
        finetune(
            with_codebook,
            unlabelled=SOUNDS,
            data=toy,
            output=tmp_path / "again",
            settings=SETTINGS,
            observers=[StopAt(2)],
        )
    finetune(with_codebook, unlabelled=SOUNDS, data=toy, output=tmp_path / "again", settings=SETTINGS, resume=True)
    for name in ("encoder/model.safetensors", "head/head.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_file_of_s3prl_is_continued_with_its_own_codebook(with_codebook: Path, toy: Path, tmp_path: Path) -> None:
    convert(with_codebook, tmp_path / "encoder.pt", "s3prl")
    runs = [
        finetune(base, unlabelled=Unlabelled(("ks",)), data=toy, output=tmp_path / name, settings=SETTINGS)
        for base, name in ((tmp_path / "encoder.pt", "file"), (with_codebook, "folder"))
    ]
    one, other = (load_file(run.encoder / "model.safetensors") for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert runs[0].valid == runs[1].valid


def test_without_a_codebook_kmeans_makes_the_codes(tiny_encoder: Path, toy: Path, tmp_path: Path) -> None:
    finetune(tiny_encoder, unlabelled=SOUNDS, data=toy, output=tmp_path / "run", settings=SETTINGS)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["targets"] == "kmeans"
    assert load_file(tmp_path / "run" / "head" / "head.safetensors")["weight"].shape[0] == 4


def test_mandarin_is_heard(tiny_hubert: Path, speech: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "unlabelled_zh"
    folder.mkdir(parents=True)
    rows = [json.loads(line) for line in (speech / "unlabelled_zh" / "manifest.jsonl").read_text().splitlines()]
    chosen = [row | {"path": str(speech / row["path"])} for row in rows if row["split"] == "train"][:8]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    report = finetune(
        tiny_hubert,
        unlabelled=Unlabelled(("unlabelled_zh",), clusters=8),
        data=tmp_path / "data",
        output=tmp_path / "run",
        settings=SETTINGS,
    )
    assert report.valid["loss"] > 0
    assert report.test == {}


@pytest.mark.parametrize(
    ("unlabelled", "message"),
    [
        (Unlabelled(("ks",), targets="codebook"), "expected final_proj and label_embs_concat in "),
        (Unlabelled(("ks",), layer=9), "the layer to cluster must be between 0 and 2, got 9"),
    ],
)
def test_targets_that_are_not_to_be_had(
    unlabelled: Unlabelled, message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as raised:
        finetune(tiny_hubert, unlabelled=unlabelled, data=toy, output=tmp_path / "run", settings=SETTINGS)
    assert message in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_encoder_that_hides_nothing(tiny_decoar2: Path, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"DeCoAR 2.0 hides no frames of its input, so masked prediction cannot"):
        finetune(tiny_decoar2, unlabelled=SOUNDS, data=toy, output=tmp_path / "run", settings=SETTINGS)


def test_single_clip_is_too_few(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    line = (toy / "ks" / "manifest.jsonl").read_text().splitlines()[0]
    (folder / "manifest.jsonl").write_text(line + "\n")
    with pytest.raises(
        DataError, match=r"expected clips to learn from and others to validate with in one of .*came 1 and 0"
    ):
        finetune(tiny_hubert, unlabelled=Unlabelled(("one",)), data=tmp_path, output=tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folders": ()}, "expected a folder of unlabelled clips, got none"),
        ({"folders": ("ks",), "targets": "self"}, "targets are one of codebook, kmeans, got 'self'"),
        ({"folders": ("ks",), "clusters": 1}, "k-means needs at least 2 clusters, got 1"),
    ],
)
def test_settings_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Unlabelled(**arguments)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_scenarios_exclude_each_other(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    for arguments in ({"task": "ks", "unlabelled": SOUNDS}, {}):
        with pytest.raises(SettingsError, match=r"expected a task, several, or unlabelled speech to tune on: name one"):
            finetune(tiny_hubert, data=toy, output=tmp_path / "run", **arguments)  # type: ignore[arg-type]


def test_nothing_but_a_file_is_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read_codebook(tmp_path / "nothing")
