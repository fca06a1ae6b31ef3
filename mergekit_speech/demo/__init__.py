"""What `msm demo` runs on: the clips, and the script that a maintainer makes them with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CLIPS: Final = Path(__file__).resolve().parent / "clips"
"""Folder of the embedded clips: a corpus with the tasks pr, ks and sid."""
