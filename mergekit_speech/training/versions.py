"""Versions of what a result depends on."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import mergekit_speech

PACKAGES = ("mergekit-speech", "torch", "transformers", "numpy", "lhotse", "accelerate")


def versions() -> dict[str, str]:
    """Python's version and those of the packages that a run's figures depend on, and the commit of a checkout."""
    found = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    commit = source_commit()
    return found if commit is None else found | {"commit": commit}


@cache
def source_commit() -> str | None:
    """The commit of the checkout that this package runs from, `-dirty` if files differ; None if it is installed."""
    root = Path(mergekit_speech.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
