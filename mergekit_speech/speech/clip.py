"""What the toolkit knows of one recording before it reads the audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mergekit_speech.speech.address import Recording

SAMPLE_RATE = 16_000
"""Hz; every encoder family and task here works at this rate."""


@dataclass(frozen=True)
class Clip:
    """One recording as its manifest describes it.

    Attributes:
        id: Unique within its manifest.
        path: The audio file, or where else the recording lies.
        duration: Seconds.
        split: Name of the split, such as `train`, `valid` or `test`.
        fields: Everything else on the manifest's line: labels, speaker, text.
        source: `file:line` of the manifest, for error messages.
        gain: What the samples are amplified by when they are read, decibels.
    """

    id: str
    path: Recording
    duration: float
    split: str
    fields: Mapping[str, Any]
    source: str
    gain: float = 0.0
