"""Peak memory of conversions and of merges across layouts, above what their imports take, at Base size.

Counts memory that is backed by no file, from the moment when the same work on a tiny encoder has imported all that is
needed. Bar: 1.1 times the largest parameter in float32 and 64 MB more, for every work; merges run with `--memory 64MB`.

    python -m benchmarks.layouts [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checkpoints import BASE, Kind, write_encoders
from benchmarks.origin import ROOT
from benchmarks.processes import measure_peak
from benchmarks.records import record
from benchmarks.values import check_linear, read_values

SCRIPT = ROOT / "benchmarks" / "scripts" / "watched_layouts.py"
TINY = Kind("tiny", layers=1, width=64)
TIMES_LARGEST, ALLOWED = 1.1, 64 << 20
BUDGET = 64 << 20
ALPHA, DENSITY = 0.25, 0.2
FIRST, SECOND, FILE, RUN = "base", "tuned1", "base.pt", "run.ckpt"
TO_S3PRL, TO_TRANSFORMERS, RUN_TO_TRANSFORMERS, LINEAR, TIES = (
    "convert, transformers to s3prl",
    "convert, s3prl to transformers",
    "convert, s3prl's run to transformers",
    "linear, base of s3prl, tuned of transformers",
    "ties, base of transformers, tuned of transformers and of s3prl's run",
)
# Verb and arguments of each work, in the order in which one makes what another reads.
WORKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    TO_S3PRL: ("convert", {"source": FIRST, "output": FILE, "layout": "s3prl"}),
    TO_TRANSFORMERS: ("convert", {"source": FILE, "output": "from_file", "layout": "transformers"}),
    RUN_TO_TRANSFORMERS: ("convert", {"source": RUN, "output": "from_run", "layout": "transformers", "like": FIRST}),
    LINEAR: ("merge", {"base": FILE, "tuned": SECOND, "alpha": ALPHA, "output": "linear", "memory": BUDGET}),
    TIES: (
        "merge",
        {
            "base": FIRST,
            "tuned": [SECOND, RUN],
            "strategy": "ties",
            "density": DENSITY,
            "output": "ties",
            "memory": BUDGET,
        },
    ),
}


def write_inputs(folder: Path, kind: Kind) -> None:
    """Write a base, an encoder tuned from it, and a run of s3prl with another, its head and its optimizer."""
    import torch

    from mergekit_speech.layouts.names import to_fairseq

    *encoders, other = write_encoders(folder, kind, tuned=2)
    for encoder in encoders:
        kind.config().save_pretrained(encoder)
    state = {
        f"model.{to_fairseq(name, group_norm=True)}": torch.from_numpy(values.copy())
        for name, values in read_values(other)
    }
    moments = {number: {"exp_avg": each, "exp_avg_sq": each.clone()} for number, each in enumerate(state.values())}
    torch.save(
        {
            "Upstream": state,
            "Downstream": {"model.linear.weight": torch.zeros(12, 256)},
            "Optimizer": {"state": moments, "param_groups": [{"lr": 1e-4}]},
            "Args": Namespace(upstream="hubert_custom"),
            "Step": 1,
        },
        folder / RUN,
    )
    shutil.rmtree(other)


def measure_works(folder: Path, kind: Kind) -> dict[str, int]:
    """Do every work, and give the peak memory of each in bytes.

    Raises:
        SystemExit: A value is wrong.
    """
    places = [folder / "small", folder / "full"]
    for place, each in zip(places, (TINY, kind), strict=True):
        write_inputs(place, each)
    full, found = places[1], {}
    for work, (verb, arguments) in WORKS.items():
        command = [sys.executable, str(SCRIPT), verb, json.dumps(arguments), *map(str, places)]
        found[work] = measure_peak(command)
    for (name, one), (_, other) in zip(read_values(full / FIRST), read_values(full / "from_file"), strict=True):
        if not np.array_equal(one, other):
            raise SystemExit(f"wrong values in {name}: nothing was measured")
    check_linear([full / FIRST, full / SECOND], full / "linear", ALPHA)
    return found


def bar_of(kind: Kind) -> int:
    """Give the most bytes that a work on such a checkpoint may take."""
    return int(TIMES_LARGEST * 4 * max(map(prod, kind.shapes().values()))) + ALLOWED


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the line, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write the checkpoints; default: the temporary folder")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure_works(Path(folder), BASE)
    bar = bar_of(BASE)
    figures = {"checkpoint": BASE.title, "bar_bytes": bar, "works": found}
    record("layouts", figures, all(peak <= bar for peak in found.values()))


if __name__ == "__main__":
    main()
