"""The fixtures give what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest


def test_tiny_encoders_load_and_answer_at_50_frames_a_second(tiny_encoder: Path) -> None:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny_encoder, dtype=torch.float32).eval()
    hidden = model(torch.zeros(1, 16_000), output_hidden_states=True).hidden_states
    assert [tuple(layer.shape) for layer in hidden] == [(1, 49, 32)] * 3


def find_speech() -> Path:
    """Run the body of the fixture `speech`, whatever pytest wraps it in."""
    return conftest.speech.__wrapped__()  # type: ignore[attr-defined, no-any-return]


def test_absent_speech_skips_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_SPEECH_DATA", "/nowhere/speech")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no real speech at '/nowhere/speech': set MSM_SPEECH_DATA"):
        find_speech()


def test_absent_speech_fails_in_continuous_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_SPEECH_DATA", "/nowhere/speech")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no real speech"):
        find_speech()


def test_named_speech_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MSM_SPEECH_DATA", str(tmp_path))
    assert find_speech() == tmp_path
