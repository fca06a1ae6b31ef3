"""How much memory a run has used."""

from __future__ import annotations

import pytest
import torch

from mergekit_speech.training.memory_use import peak_memory


def test_on_a_cpu_it_is_the_peak_of_the_process_in_bytes() -> None:
    # What Python takes with torch: KiB would be a thousandth of it.
    assert 50e6 < peak_memory(torch.device("cpu")) < 100e9


def test_on_cuda_it_is_what_tensors_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5 if device.index == 1 else 0)
    assert peak_memory(torch.device("cuda", 1)) == 5
