"""The arithmetic of a forward pass."""

from __future__ import annotations

import logging
import platform

import torch

from mergekit_speech.training.settings import Precision

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
NARROW = ("DEFAULT", "AVX2")
"""What torch calls x86 processors for which oneDNN computes nothing in 16 bits."""
_log = logging.getLogger(__name__)


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Computes what is within it in a precision, where that is safe."""
    dtype = HALF.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def warn_if_slow(device: torch.device, precision: Precision) -> None:
    """Says so where fp32 is several times as fast, since the processor has no instructions for the precision."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if precision in HALF and device.type == "cpu" and x86 and torch.backends.cpu.get_cpu_capability() in NARROW:
        _log.warning("%s takes several times as long as fp32 on this processor, which cannot compute in it", precision)
