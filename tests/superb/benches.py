"""Benches with test rows, without training: errors drawn at random around a rate for each encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mergekit_speech.registry import TASKS
from mergekit_speech.superb.results import BenchReport, ProbeResult
from mergekit_speech.tasks.parts.rows import Rows
from tests.superb.corpus import report, result

ITEMS = 120
RATES: Mapping[str, Mapping[str, float]] = {
    "base": {"pr": 0.40, "ks": 0.30},
    "tuned": {"pr": 0.25, "ks": 0.31},
    "merged": {"pr": 0.39, "ks": 0.55},
}
"""Error rates: tuned is far better on pr, merged far worse on ks, and the rest is alike."""


def rows_of(task: str, rate: float, seed: int, items: int = ITEMS) -> Rows:
    """Test rows of one probe; the same items are hard for every encoder."""
    hard = np.random.default_rng(7).uniform(size=items)
    luck = np.random.default_rng([seed, round(1000 * rate)]).normal(0, 0.05, items)
    wrong = hard + luck < rate
    if task == "pr":
        return {"errors": np.where(wrong, 6, 1), "symbols": np.full(items, 10)}
    truth = np.array(["yes", "no", "go"])[np.arange(items) % 3]
    return {"truth": truth, "answer": np.where(wrong, "stop", truth)}


def probe(encoder: str, task: str, seed: int, rows: Rows) -> ProbeResult:
    """A finished probe with these test rows."""
    return replace(result(encoder, task, seed, **TASKS.load(task).figures(rows)), rows=rows)


def bench_of(
    rates: Mapping[str, Mapping[str, float]] = RATES, seeds: int = 3, items: int = ITEMS, references: str = "speech-ft"
) -> BenchReport:
    """A bench of these error rates, encoder → task → rate."""
    tasks = list(next(iter(rates.values())))
    metrics = {"pr": "per", "ks": "acc"}
    empty = report({label: {t: {metrics[t]: [0.5] * seeds} for t in tasks} for label in rates}, references)
    probes = [
        probe(label, task, seed, rows_of(task, rate, seed, items))
        for label, own in rates.items()
        for task, rate in own.items()
        for seed in range(seeds)
    ]
    return replace(empty, probes=tuple(probes))
