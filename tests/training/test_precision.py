"""What is said of a precision in which a processor cannot compute."""

from __future__ import annotations

import platform

import pytest
import torch

from mergekit_speech.training.precision import HALF, autocast, warn_if_slow
from mergekit_speech.training.settings import Precision

CPU = torch.device("cpu")
WORD = "takes several times as long as fp32 on this processor, which cannot compute in it"


@pytest.mark.parametrize(
    ("machine", "capability", "asked", "device", "said"),
    [
        ("x86_64", "AVX2", "bf16", "cpu", [f"bf16 {WORD}"]),
        ("AMD64", "DEFAULT", "fp16", "cpu", [f"fp16 {WORD}"]),
        ("x86_64", "AVX2", "fp32", "cpu", []),
        ("x86_64", "AVX512", "bf16", "cpu", []),
        ("aarch64", "DEFAULT", "bf16", "cpu", []),
        ("x86_64", "AVX2", "bf16", "cuda", []),
    ],
)
def test_the_user_hears_what_would_be_slow(
    machine: str,
    capability: str,
    asked: Precision,
    device: str,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    warn_if_slow(torch.device(device), asked)
    assert caplog.messages == said


@pytest.mark.parametrize("asked", ["fp32", "bf16", "fp16"])
def test_products_are_computed_in_the_precision_that_was_asked_for(asked: Precision) -> None:
    with autocast(CPU, asked):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == HALF.get(asked, torch.float32)
