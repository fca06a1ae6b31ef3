"""A comparison to draw and to tabulate."""

from __future__ import annotations

import math
from pathlib import Path

from mergekit_speech.analysis.distance import Comparison, Distance

PARTS = (
    Distance("$feature_extractor$", 1234567, 0.0, 0.0, 1.0, 1.0, None, 1.0),
    Distance("layer 0", 42, 1.5, 0.0123, 0.99991, 0.987, -0.25, 0.5),
    Distance("layer 1", 42, math.inf, math.nan, None, 0.5, 0.75, 0.625),
)
COMPARISON = Comparison(
    *(Path("one"), Path("two"), Path("base"), PARTS[1], PARTS, PARTS[:1], {"step": False, "epoch": True}),
    left_out={"two": {"lm_head.weight": "head of a task model", "lm_head.bias": "head of a task model"}},
)
