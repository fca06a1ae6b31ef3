"""A bench on real recordings: a few clips, a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.settings import Overrides

TASKS = ("pr", "sid", "er", "ks")
CLIPS = 16
Rows = list[dict[str, Any]]


@pytest.fixture
def few(speech: Path, tmp_path: Path) -> Path:
    """A data folder with two labels, and few clips of each split, of the real one."""
    (tmp_path / "audio").symlink_to(speech)
    for task in TASKS:
        lines = (speech / task / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [row | {"path": f"audio/{row['path']}"} for row in map(json.loads, lines) if row["duration"] < 3]
        (tmp_path / task).mkdir()
        (tmp_path / task / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in _few(rows)))
    return tmp_path


def _few(rows: Rows) -> Rows:
    # Of ks the first labels are silence and unknown words, which spectra tell apart.
    labels = sorted({row["label"] for row in rows if "label" in row})[:2]
    kept: Rows = []
    for split in ("train", "valid", "test"):
        chosen = [row for row in rows if row["split"] == split and row.get("label") in (*labels, None)]
        phones = {phone for row in kept for phone in row.get("phones", ())}
        known = [row for row in chosen if split == "train" or phones.issuperset(row.get("phones", ()))]
        kept += known[:: max(1, len(known) // CLIPS)][:CLIPS]
    return kept


def test_probes_learn_on_real_speech(few: Path, tiny_hubert: Path) -> None:
    overrides = Overrides(steps=30, learning_rate=1e-2, clips=8, accumulate=1)
    report = run_bench([tiny_hubert, "logmel"], few, TASKS, seeds=(0,), overrides=overrides)
    assert len(report.probes) == 8
    assert all(0 <= figure <= 1.5 for probe in report.probes for figure in probe.test.values())
    # Half is chance.
    assert report.values("logmel", "ks", "acc")[0] >= 0.7
