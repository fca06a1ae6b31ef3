"""One process alone, and launchers that cut encoders into pieces."""

from __future__ import annotations

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.training import ranks


@pytest.fixture(autouse=True)
def _without_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_one_process_has_everything() -> None:
    assert ranks.first()
    assert ranks.share([1, 2, 3]) == [1, 2, 3]
    assert ranks.gathered([4.0]) == [4.0]
    ranks.wait()


def test_launcher_that_cuts_the_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.processes.cache_clear()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(SettingsError) as caught:
        ranks.processes()
    assert str(caught.value) == (
        "expected processes that hold the whole encoder each, came ACCELERATE_USE_FSDP='true': launch with --multi_gpu"
        " instead, and save memory by --gradient-checkpointing and --precision bf16"
    )
