"""How similar features stay to those of the base, against how far the weights go, for every way to an encoder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.origin import commit, machine
from benchmarks.records import RESULTS
from benchmarks.speech_ft.encoders import contenders
from benchmarks.speech_ft.joining import join_origins
from benchmarks.speech_ft.matrix import TASKS
from mergekit_speech.reports.analyze import analyze

PLACE = RESULTS / "speech_ft" / "similarity.json"
HEARD, CLIPS = "unlabelled_en", 40
MEASURED = ("mergekit_speech", "strategies", "benchmarks/speech_ft")


def compare_features(data: Path, work: Path, seeds: Sequence[int]) -> None:
    """Writes R², linear CKA, cosine and weight deviation of every encoder of some seeds.

    What was compared before is kept in the work folder, and other seeds that are there stay. No encoder was tuned on
    the clips.
    """
    kept = work / "similarity"
    kept.mkdir(parents=True, exist_ok=True)
    rows = []
    for task in TASKS:
        for seed in seeds:
            path = kept / f"{task}-{seed}.json"
            if not path.is_file():
                path.write_text(json.dumps(_rows(task, seed, data, work)), encoding="utf-8")
            rows += json.loads(path.read_text(encoding="utf-8"))
    origin = {"seeds": list(seeds), "commit": commit(MEASURED), "machine": machine()}
    there = json.loads(PLACE.read_text(encoding="utf-8")) if PLACE.is_file() else {"origins": [], "rows": []}
    found = {
        "heard": HEARD,
        "clips": CLIPS,
        "origins": join_origins(origin, there["origins"]),
        "rows": sorted(rows + [row for row in there["rows"] if row["seed"] not in seeds], key=_place),
    }
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return TASKS.index(row["task"]), row["seed"]


def _rows(task: str, seed: int, data: Path, work: Path) -> list[dict[str, Any]]:
    base, *others = (f"{each.label}={each.make(work, seed)}" for each in contenders(task))
    with tempfile.TemporaryDirectory() as folder:
        report = analyze(base, others, data=data, folders=[HEARD], clips=CLIPS, output=Path(folder) / "report")
    return [{"task": task, "seed": seed, **_row(pair)} for pair in report["pairs"]]


def _row(pair: dict[str, Any]) -> dict[str, Any]:
    whole = next(part for part in pair["weights"] if part["part"] == "whole")
    layers = pair["layers"]
    means = {name: sum(layer[name] for layer in layers) / len(layers) for name in ("r2", "cka", "cosine")}
    return {"encoder": pair["encoder"], "deviation": whole["relative"], "last_r2": layers[-1]["r2"], **means}
