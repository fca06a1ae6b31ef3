"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGES = ("mergekit-speech", "torch", "transformers", "numpy", "lhotse", "accelerate")


def versions() -> dict[str, str]:
    """Python's version and those of the packages that a run's figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
