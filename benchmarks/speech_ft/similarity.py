"""How similar features stay to those of the base, against how far the weights go, for every way to an encoder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.origin import commit, machine
from benchmarks.records import RESULTS
from benchmarks.speech_ft.encoders import contenders
from mergekit_speech.reports.analyze import analyze

PLACE = RESULTS / "speech_ft" / "similarity.json"
HEARD, CLIPS = "unlabelled_en", 40
MEASURED = ("mergekit_speech", "strategies", "benchmarks/speech_ft")


def compare_features(tasks: Sequence[str], data: Path, work: Path, seeds: Sequence[int]) -> None:
    """Writes R², linear CKA, cosine and weight deviation of every encoder of some tasks and seeds.

    What was compared before is kept in the work folder. No encoder was tuned on the clips.
    """
    kept = work / "similarity"
    kept.mkdir(parents=True, exist_ok=True)
    rows = []
    for task in tasks:
        for seed in seeds:
            path = kept / f"{task}-{seed}.json"
            if not path.is_file():
                path.write_text(json.dumps(_rows(task, seed, data, work)), encoding="utf-8")
            rows += json.loads(path.read_text(encoding="utf-8"))
    found = {"heard": HEARD, "clips": CLIPS, "commit": commit(MEASURED), "machine": machine(), "rows": rows}
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


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
