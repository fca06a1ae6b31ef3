"""The cells of README.md's table of layouts: an encoder family, a layout, and what the toolkit does with both.

A test that exercises a cell says so with the marker `covers`; `python -m tests.families.table` makes the table of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet

DIRECTORY, TASK_MODEL, BIN = "transformers", "task model", "`.bin`"
S3PRL, RUN, SPIN, FAIRSEQ = "s3prl", "s3prl run", "Spin", "fairseq"
LAYOUTS = (DIRECTORY, TASK_MODEL, BIN, S3PRL, RUN, SPIN, FAIRSEQ)
VERBS = ("read", "write", "merge", "fine-tune", "probe")
HELD = {
    "hubert": LAYOUTS,
    "wav2vec2": (DIRECTORY, TASK_MODEL, BIN, S3PRL, RUN, FAIRSEQ),
    "wavlm": (DIRECTORY, TASK_MODEL, BIN, S3PRL, RUN, SPIN),
    "decoar2": (DIRECTORY, BIN, S3PRL, RUN),
    "data2vec-audio": (DIRECTORY, TASK_MODEL, BIN),
    "unispeech-sat": (DIRECTORY, TASK_MODEL, BIN),
    "wav2vec2-bert": (DIRECTORY, TASK_MODEL, BIN),
    "whisper": (DIRECTORY, TASK_MODEL, BIN),
}
"""The layouts in which users hold each family."""
WHOLE = (DIRECTORY, TASK_MODEL, BIN, S3PRL, FAIRSEQ)
"""Layouts that hold settings too; `msm convert --like BASE` gives the others those of their base."""


def cells(*does: str, layouts: Iterable[str] = LAYOUTS, families: Iterable[str] = tuple(HELD)) -> list[ParameterSet]:
    """Give parameters `family` and `layout` of a test that does these things with every layout that users hold."""
    wanted = tuple(layouts)
    return [
        pytest.param(
            *(family, layout),
            id=f"{family}-{layout}",
            marks=[pytest.mark.covers(family=family, layout=layout, does=verb) for verb in does],
        )
        for family in families
        for layout in HELD[family]
        if layout in wanted
    ]
