"""Batches in seconds, precision, recomputed layers, compiling and workers: what they may change and what not."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.finetuning.passes import checkpoint_gradients
from mergekit_speech.finetuning.run import FinetuneReport, finetune

Train = Callable[..., FinetuneReport]
SMALL: dict[str, Any] = {"task": "ks", "steps": 4, "clips": 4, "evaluate_every": 4, "learning_rate": 1e-3, "seed": 3}


@pytest.fixture(scope="module")
def train(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Runs with some settings changed; equal ones run once."""

    @functools.cache
    def run(**changes: Any) -> FinetuneReport:
        output = tmp_path_factory.mktemp("run") / "run"
        return finetune(tiny_hubert, data=toy, output=output, **{**SMALL, **changes})

    return run


def rows(report: FinetuneReport) -> list[dict[str, Any]]:
    """The steps of a run."""
    lines = (report.run / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


def weights(report: FinetuneReport) -> dict[str, torch.Tensor]:
    return load_file(report.encoder / "model.safetensors")


@pytest.mark.parametrize("workers", [0, 3])
def test_number_of_workers_does_not_change_a_bit(workers: int, train: Train) -> None:
    plain, other = train(), train(workers=workers)
    for name in ("encoder/model.safetensors", "head/head.safetensors"):
        assert (plain.run / name).read_bytes() == (other.run / name).read_bytes()
    assert [row["loss"] for row in rows(plain)] == [row["loss"] for row in rows(other)]
    recorded = [json.loads((run.run / "record.json").read_text())["settings"] for run in (plain, other)]
    assert recorded[0] == recorded[1]


def test_layers_that_are_computed_twice_give_the_same_run(train: Train) -> None:
    plain, spared = weights(train()), weights(train(gradient_checkpointing=True))
    assert plain.keys() == spared.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(spared[name], tensor, atol=1e-5, rtol=1e-4)


def test_family_without_gradient_checkpointing(tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    encoder.model.supports_gradient_checkpointing = False
    with pytest.raises(SettingsError) as caught:
        checkpoint_gradients(encoder)
    assert str(caught.value) == (
        "HuBERT has no gradient checkpointing: leave out --gradient-checkpointing, and give a smaller --batch and a"
        " larger --accumulate"
    )


def test_compiled_encoder_keeps_the_names_of_its_parameters(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    compiling: list[dict[str, Any]] = []

    def compile_eagerly(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        compiling.append(options)
        return function

    monkeypatch.setattr(torch, "compile", compile_eagerly)
    compiled = weights(train(compiled=True))
    assert compiling
    plain = weights(train())
    assert list(compiled) == list(plain)
    for name, tensor in plain.items():
        assert torch.equal(compiled[name], tensor)


def test_half_precision_scales_the_loss_and_learns_what_full_precision_does(train: Train) -> None:
    plain, half = rows(train()), rows(train(precision="fp16"))
    for full, row in zip(plain, half, strict=True):
        assert row["loss"] == pytest.approx(full["loss"], abs=0.05)
        assert row["gradient_norm"] == pytest.approx(full["gradient_norm"], rel=0.1)
    state = torch.load(train(precision="fp16").run / "checkpoints" / "last.pt", weights_only=True)
    assert state["scaler"]["scale"] >= 1


def test_batches_and_steps_in_seconds_of_audio(train: Train) -> None:
    report = train(clips=None, batch_seconds=1.3, accumulate_seconds=2.0)
    lengths = [row["audio_seconds"] for row in rows(report)]
    assert all(2.0 <= length < 2.0 + 1.3 for length in lengths)
    settings = json.loads((report.run / "record.json").read_text())["settings"]
    assert (settings["batch_seconds"], settings["accumulate_seconds"]) == (1.3, 2.0)
    assert "clips" not in settings


def test_clip_longer_than_a_batch(train: Train) -> None:
    with pytest.raises(DataError, match=r"clip 'train11' lasts 0\.6 s, more than a whole batch of 0\.5 s: raise the"):
        train(clips=None, batch_seconds=0.5)


def test_step_is_limited_by_batches_or_by_seconds(train: Train) -> None:
    message = (
        "a step is so many batches or so many seconds, got accumulate 2 and accumulate_seconds 4.0:"
        " leave out one of them"
    )
    with pytest.raises(SettingsError) as caught:
        train(accumulate=2, accumulate_seconds=4.0)
    assert str(caught.value) == message


def test_waiting_for_data_is_measured(train: Train) -> None:
    report = train()
    assert 0 < report.waited < 1
    assert json.loads((report.run / "record.json").read_text())["waited"] == report.waited
    waited, whole = (sum(row[name] for row in rows(report)) for name in ("waited", "seconds"))
    assert waited / whole == pytest.approx(report.waited)
