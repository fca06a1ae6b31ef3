"""Documents of each kind, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mergekit_speech.reports.folder import finite
from mergekit_speech.superb.document import document
from mergekit_speech.superb.results import BenchReport, Failure, Trial
from tests.superb.benches import bench_of

SPREAD: Mapping[str, Any] = {"mean": 0.4, "deviation": 0.02, "seeds": 3, "interval": [0.35, 0.45]}


def bench_document(found: BenchReport | None = None) -> dict[str, Any]:
    """What `results.json` of a bench holds."""
    content: dict[str, Any] = finite(document(found or bench_of())[0])
    return content


def eventful() -> BenchReport:
    """A bench with a failure, an origin, tried rates, and a label that is hostile to HTML, Markdown and rich."""
    whole = bench_of()
    tried = (Trial(1e-2, {"per": 0.5}), Trial(whole.probes[0].settings.learning_rate, {"per": 0.25}))  # type: ignore[union-attr]
    encoders = (whole.encoders[0], replace(whole.encoders[1], label="<b>|[i]", origin={"recipe": "alpha: 0.25 # <&>"}))
    labels = {"base": "base", "tuned": encoders[1].label}
    probes = [
        replace(p, encoder=labels[p.encoder], tried=tried if p.task == "pr" else ())
        for p in whole.probes
        if p.encoder in labels and (p.encoder, p.task) != ("tuned", "ks")
    ]
    failure = Failure(encoders[1].label, "ks", None, "hidden states hold values that are not finite")
    return replace(whole, encoders=encoders, probes=tuple(probes), failures=(failure,))


def sweep_document() -> dict[str, Any]:
    """A sweep of two strategies over α between base and tuned."""
    bench = bench_document()
    points = [_point("base", None, 0.0, "base"), _point("tuned", None, 1.0, "tuned"), _point("soup", "greedy", None)]
    points += [_point(f"{name} {alpha}", name, alpha) for name in ("linear", "slerp") for alpha in (0.25, 0.5, 0.75)]
    for number, point in enumerate(points):
        shown = point["figures"][1]["figure"]
        shown["mean"], shown["interval"] = 0.4 - 0.01 * number, [0.38 - 0.01 * number, 0.42 - 0.01 * number]
    shared = {name: bench[name] for name in ("version", "data", "versions", "seeds", "encoders", "tasks", "references")}
    return {
        **shared,
        "kind": "sweep",
        "base": "base",
        "tuned": ["tuned"],
        "points": points,
        "picked": {"label": "linear 0.25", "by": "valid", "metric": "per", "why": "lowest PER on validation"},
        "failures": [{"encoder": "slerp 0.5", "task": "ks", "seed": 1, "message": "a worker died"}],
    }


def analysis_document() -> dict[str, Any]:
    """An analysis of two encoders of three layers against their base."""
    bench = bench_document()
    layers = [{"layer": n, "r2": 1 - 0.1 * n, "cka": 0.9, "cosine": None if n else -0.25} for n in range(3)]
    weights = [{"part": part, "absolute": 0.5, "relative": 0.01} for part in ("cnn", "layer 0", "layer 1")]
    connected = {"tuned": "tuned", "alpha": 0.25, "layers": [{"layer": 0, "r2": 0.99, "relative_error": 0.02}]}
    return {
        **{name: bench[name] for name in ("version", "data", "versions", "encoders")},
        "kind": "analysis",
        "base": "base",
        "clips": 12,
        "frames": 3400,
        "seed": 0,
        "notes": ["The tuned encoder is farther from the base than the merged one."],
        "pairs": [
            {"encoder": "tuned", "layers": layers, "weights": weights, "connectivity": None},
            {"encoder": "merged", "layers": layers, "weights": weights, "connectivity": connected},
        ],
        "failures": [],
    }


def _point(label: str, strategy: str | None, alpha: float | None, end: str | None = None) -> dict[str, Any]:
    figures = [
        {"task": "pr", "metric": "per", "split": "valid", "values": [0.39], "figure": {**SPREAD, "mean": 0.39}},
        {"task": "pr", "metric": "per", "split": "test", "values": [0.4], "figure": dict(SPREAD)},
        {"task": "ks", "metric": "acc", "split": "valid", "values": [0.6], "figure": {**SPREAD, "interval": None}},
    ]
    settings = {} if alpha is None else {"alpha": alpha}
    point = {"label": label, "strategy": strategy or end, "settings": settings, "alpha": alpha, "end": end}
    return {**point, "figures": figures, "score": None}
