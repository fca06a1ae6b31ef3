"""What the tests of probing share: a corpus that a probe on plain spectra can learn, and reports made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.superb.assignment import Assignment, read_assignments
from mergekit_speech.superb.results import BenchReport, ProbedEncoder, ProbedTask, ProbeResult
from mergekit_speech.superb.settings import Overrides, ProbeSettings
from mergekit_speech.tasks.parts.task import Metric
from tests.speech.corpus import noise, save, tone, write_manifest

LABELS: Mapping[str, tuple[float, list[str]]] = {
    "low": (300.0, ["L", "OW"]),
    "middle": (900.0, ["M", "IH", "D"]),
    "high": (2700.0, ["HH", "AY"]),
}
SPLITS = (("train", 6), ("valid", 3), ("test", 3))
TASKS = {
    "pr": (Metric("per", "PER", lower_is_better=True),),
    "ks": (Metric("acc", "accuracy", lower_is_better=False),),
    "er": (Metric("acc", "accuracy", lower_is_better=False), Metric("uar", "UAR", lower_is_better=False)),
}
SETTINGS = ProbeSettings(steps=8, learning_rate=1e-2, clips=4, accumulate=1, evaluate_every=2)
FEW = Overrides(steps=8, learning_rate=1e-2, clips=4, accumulate=1, evaluate_every=2)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with `ks` and `pr` over the same clips, and `er` over half of them. Never write there."""
    data = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for number, (split, label) in enumerate((split, label) for split, n in SPLITS for label in list(LABELS) * n):
        hertz, phones = LABELS[label]
        seconds = 0.3 + 0.2 * float(rng.random())
        name = f"{split}-{label}-{number}"
        save(data / "audio" / f"{name}.wav", tone(seconds, hertz) + 3 * noise(seconds, number))
        row = {"id": name, "duration": seconds, "split": split, "label": label, "phones": phones}
        rows.append(row)
    write_manifest(data, "ks", rows)
    write_manifest(data, "pr", rows)
    write_manifest(data, "er", rows[::2])
    return data


def assignment(data: Path, task: str, overrides: Overrides = FEW) -> Assignment:
    """One task of the toy corpus."""
    return read_assignments(data, [task], overrides)[0]


def rewrite(data: Path, task: str, changes: Mapping[str, object], split: str | None = None) -> None:
    """Changes fields of a manifest, on every line or on those of a split; a value None drops the field."""
    path = data / task / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if split in (None, row["split"]):
            row.update(changes)
            for name, value in changes.items():
                if value is None:
                    del row[name]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def result(encoder: str, task: str, seed: int, **test: float) -> ProbeResult:
    """A finished probe with these test figures."""
    return ProbeResult(
        encoder=encoder,
        task=task,
        seed=seed,
        settings=SETTINGS,
        best_steps=[4],
        valid=test,
        test=test,
        n=9,
        layer_weights=[0.25, 0.75],
        seconds=1.5,
    )


def report(figures: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], references: str) -> BenchReport:
    """A report of these figures: encoder → task → metric → a figure for each seed."""
    labels, tasks = list(figures), list(next(iter(figures.values())))
    probes = [
        result(label, task, seed, **{metric: values[seed] for metric, values in metrics.items()})
        for label, by_task in figures.items()
        for task, metrics in by_task.items()
        for seed in range(len(next(iter(metrics.values()))))
    ]
    return BenchReport(
        encoders=tuple(ProbedEncoder(label, f"runs/{label}", f"blake3:{label}", 3, 32, 1000) for label in labels),
        tasks=tuple(
            ProbedTask(t, t, TASKS[t], SETTINGS, {"train": 6, "valid": 3, "test": 9}, "sha256:0") for t in tasks
        ),
        seeds=tuple(sorted({probe.seed for probe in probes})),
        probes=tuple(probes),
        references=references,
        data=Path("speech"),
        versions={"python": "3.11"},
    )
