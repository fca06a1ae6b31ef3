"""What `msm demo` runs, and what on: the encoder, the clips, and the script that a maintainer makes them with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ENCODER: Final = Path(__file__).resolve().parent / "encoder"
"""The small pre-trained encoder, a transformers directory."""

CLIPS: Final = Path(__file__).resolve().parent / "clips"
"""Folder of the embedded clips: a corpus with the tasks pr, ks and sid."""
