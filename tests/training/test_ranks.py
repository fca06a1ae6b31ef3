"""One process alone, and what launchers ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.passes import compile_encoder
from mergekit_speech.training import ranks
from mergekit_speech.training.settings import LoopSettings
from mergekit_speech.training.sharded import Sharded
from tests.training.toy import Line


@pytest.fixture(autouse=True)
def _without_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_one_process_has_everything() -> None:
    assert ranks.first()
    assert ranks.share([1, 2, 3]) == [1, 2, 3]
    assert ranks.gathered([4.0]) == [4.0]
    ranks.wait()


def test_launcher_that_divides_the_work_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.processes.cache_clear()
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(SettingsError) as caught:
        ranks.processes()
    assert str(caught.value) == (
        "expected DDP or FSDP, came ACCELERATE_USE_DEEPSPEED='true': launch with --multi_gpu or --use_fsdp instead"
    )


def test_fsdp_takes_a_launcher_that_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ranks.FSDP, "true")
    assert not ranks.sharded()
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert ranks.sharded()
    monkeypatch.setenv(ranks.FSDP, "false")
    assert not ranks.sharded()


def test_fsdp_refuses_the_scaler_of_fp16() -> None:
    with pytest.raises(SettingsError, match="use --precision bf16"):
        Sharded(Line(), LoopSettings(steps=1, learning_rate=0.1, evaluate_every=1, seed=0, precision="fp16"))


def test_fsdp_refuses_to_compile(monkeypatch: pytest.MonkeyPatch, tiny_hubert: Path) -> None:
    monkeypatch.setenv(ranks.FSDP, "true")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(SettingsError, match="leave out --compile"):
        compile_encoder(load_encoder(tiny_hubert))
