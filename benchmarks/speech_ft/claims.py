"""What the paper claims, held against the SUPERB scores of the experiment: differences between two ways to an encoder.

A difference is that of two encoders of the same fine-tuning task and seed; interval and p-value are those of Student's
t over tasks and seeds, and verdicts are corrected for all claims together.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.superb.uncertainty import adjust

CONFIDENCE = 0.95
HOLDS, OPPOSITE, UNSEEN, UNTESTED = "holds here", "the opposite holds here", "no difference seen", "not measured"

Scores = Mapping[str, Sequence[float]]
"""The score of each seed, by the label of the encoder."""


@dataclass(frozen=True)
class Claim:
    """That one way leads to a better score than another.

    Attributes:
        text: What the paper says.
        better: Label of the encoder that it says is better.
        worse: Label of the other one.
        among: Comparisons that it is about.
    """

    text: str
    better: str
    worse: str
    among: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """What the figures say of a claim.

    Attributes:
        differences: In points of the SUPERB score, one for each task and seed.
        interval: The 95 % interval of their mean; None of fewer than two.
        p: That their mean is 0; None of fewer than two.
    """

    differences: Sequence[float]
    interval: tuple[float, float] | None
    p: float | None


HUBERT = ("pr", "sid", "er", "unlabelled_zh")
OTHERS = ("wav2vec2-pr", "wav2vec2-sid", "wavlm-pr", "wavlm-sid")
SPEECH, STABLE, BASE = "Speech-FT", "Stable-FT", "pre-trained"
CLAIMS = (
    Claim("Speech-FT generalizes better than the pre-trained encoder", SPEECH, BASE, HUBERT),
    Claim("Speech-FT generalizes better than Stable-FT alone (α = 1)", SPEECH, STABLE, HUBERT),
    Claim("Regular fine-tuning harms generality", BASE, "regular", HUBERT),
    Claim("Stable fine-tuning harms it less than regular fine-tuning", STABLE, "regular", HUBERT),
    Claim("Interpolation after stable fine-tuning beats that after regular", SPEECH, "regular + interpolation", HUBERT),
    Claim("Speech-FT beats L2 regularization to the base", SPEECH, "L2 to the base", HUBERT),
    Claim("Speech-FT beats LoRA", SPEECH, "LoRA", HUBERT),
    Claim("Speech-FT beats DoRA", SPEECH, "DoRA", HUBERT),
    Claim("Speech-FT beats an early checkpoint", SPEECH, "early checkpoint", HUBERT),
    Claim("On other families, Speech-FT generalizes better than the base", SPEECH, BASE, OTHERS),
    Claim("On other families, Speech-FT generalizes better than Stable-FT", SPEECH, STABLE, OTHERS),
    Claim("Multitask: sequential Speech-FT beats joint heads", "sequential", "joint, α 0.25", ("multitask",)),
    Claim("Multitask: sequential Speech-FT beats the linear average", "sequential", "linear average", ("multitask",)),
    Claim("Multitask: the linear average beats TIES", "linear average", "TIES", ("multitask",)),
)


def read_scores(results: Path) -> Mapping[str, Scores]:
    """Read the scores of every comparison that was made, by its name."""
    return {path.parent.name: _scores(path) for path in sorted(results.glob("*/results.json"))}


def find(claim: Claim, scores: Mapping[str, Scores]) -> Finding:
    """Hold a claim against the scores."""
    differences = list(_differences(claim, scores))
    if len(differences) < 2:
        return Finding(differences, None, None)
    from scipy.stats import t

    mean, error = statistics.fmean(differences), statistics.stdev(differences) / len(differences) ** 0.5
    spread = t(len(differences) - 1)
    reach = float(spread.ppf((1 + CONFIDENCE) / 2)) * error
    p = 2 * float(spread.sf(abs(mean) / error)) if error else 0.0
    return Finding(differences, (mean - reach, mean + reach), p)


def judge(findings: Sequence[Finding]) -> list[str]:
    """Whether each claim holds, by Holm's correction over all that were tested."""
    adjusted = iter(adjust([found.p for found in findings if found.p is not None]))
    return [UNTESTED if found.p is None else _verdict(found, next(adjusted)) for found in findings]


def _verdict(found: Finding, p: float) -> str:
    if p >= 1 - CONFIDENCE:
        return UNSEEN
    return HOLDS if statistics.fmean(found.differences) > 0 else OPPOSITE


def _differences(claim: Claim, scores: Mapping[str, Scores]) -> Iterable[float]:
    for name in claim.among:
        rows = scores.get(name, {})
        if claim.better in rows and claim.worse in rows:
            yield from (a - b for a, b in zip(rows[claim.better], rows[claim.worse], strict=True))


def _scores(path: Path) -> Scores:
    score = json.loads(path.read_text(encoding="utf-8"))["score"]
    return {row["encoder"]: row["values"] for row in score["figures"]} if score else {}
