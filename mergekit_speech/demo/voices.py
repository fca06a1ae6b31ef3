"""Who speaks in the demo clips: the synthetic voices, and the split that each one belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Voice:
    """One synthetic speaker.

    Attributes:
        speaker: Name in the manifests.
        espeak: Value of espeak-ng's `-v`: language and variant.
        pitch: Middle of the speaker's pitch range, in espeak-ng's units, 0 to 99.
        speed: Middle of the speaker's speaking rate, words a minute.
        split: Split of the speaker's clips where splits must not share a voice: train, valid or test.
    """

    speaker: str
    espeak: str
    pitch: int
    speed: int
    split: str


VOICES: Final = (
    Voice("us_m1", "en-us+m1", 42, 180, "train"),
    Voice("us_f1", "en-us+f1", 56, 190, "train"),
    Voice("gb_m3", "en-gb+m3", 36, 175, "train"),
    Voice("rp_f2", "en-gb-x-rp+f2", 50, 185, "train"),
    Voice("scotland_m7", "en-gb-scotland+m7", 46, 195, "train"),
    Voice("caribbean_f4", "en-029+f4", 44, 180, "train"),
    Voice("us_f3", "en-us+f3", 60, 185, "valid"),
    Voice("nyc_m4", "en-us-nyc+m4", 40, 190, "test"),
    Voice("lancaster_f5", "en-gb-x-gbclan+f5", 48, 180, "test"),
    Voice("midlands_m2", "en-gb-x-gbcwmd+m2", 52, 185, "test"),
)
