"""Fine-tuning on tasks whose answers are no label of the whole clip: a few steps on real recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from tests.tasks.few import aligned_phones, few_conversations, few_orders, few_speakers

SETTINGS = FinetuneSettings(steps=2, learning_rate=1e-3, clips=2, accumulate=1, evaluate_every=1, head_only=0.4)


def test_speaker_verification(speech: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = few_speakers(speech, tmp_path / "data")
    report = finetune(tiny_hubert, task="asv", data=data, output=tmp_path / "run", settings=SETTINGS)
    assert 0 <= report.test["eer"] <= 1
    assert (report.encoder / "model.safetensors").is_file()


def test_diarization(speech: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = few_conversations(speech, tmp_path / "data")
    report = finetune(tiny_hubert, task="sd", data=data, output=tmp_path / "run", settings=SETTINGS)
    assert 0 < report.test["der"] < 3


def test_phonemes_of_frames(speech: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = aligned_phones(speech, tmp_path / "data")
    report = finetune(tiny_hubert, task="pc", data=data, output=tmp_path / "run", settings=SETTINGS)
    assert 0 <= report.test["acc"] < 1
    assert (report.encoder / "model.safetensors").is_file()


def test_intents(speech: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = few_orders(speech, tmp_path / "data")
    report = finetune(tiny_hubert, task="ic", data=data, output=tmp_path / "run", settings=SETTINGS)
    assert 0 <= report.test["acc"] <= report.test["slot_acc"] < 1
    assert (report.encoder / "model.safetensors").is_file()


def test_slot_filling(speech: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    data = few_orders(speech, tmp_path / "data")
    report = finetune(tiny_hubert, task="sf", data=data, output=tmp_path / "run", settings=SETTINGS)
    assert 0 <= report.test["slot_type_f1"] < 1
    assert report.test["slot_value_cer"] > 0


def test_query_by_example_cannot_be_learnt(tiny_hubert: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        finetune(tiny_hubert, task="qbe", data=tmp_path, output=tmp_path / "run")
    assert str(caught.value) == (
        "task 'qbe' trains no head, so no encoder can be fine-tuned on it: choose another (`msm tasks`), and measure"
        " with `msm bench --tasks qbe`"
    )
    assert not (tmp_path / "run").exists()
