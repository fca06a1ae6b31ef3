"""Run as a program: s3prl's own encoders on converted files.

    python -m tests.s3prl.encode JOBS

JOBS is a JSON file, a list of jobs. Each names an `entry` of s3prl (`hubert_custom` …), a converted `file`, `clips` (a
torch file: a list of batches, each a list of waveforms), and `states`, the torch file to write: for each batch a list
of hidden states. `sizes` are DeCoAR 2.0's, which s3prl's files do not hold.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.encoders.native_parts import do_without_native_parts

PLACES = {"hubert_custom": "hubert", "wav2vec2_custom": "wav2vec2", "wavlm_local": "wavlm", "decoar2_custom": "decoar2"}


def encode(entry: str, file: str, clips: str, states: str, sizes: dict[str, Any]) -> None:
    """Does one job."""
    place = f"s3prl.upstream.{PLACES[entry]}"
    if sizes:
        importlib.import_module(f"{place}.decoar2").args.update(sizes)
    expert = getattr(importlib.import_module(f"{place}.hubconf"), entry)(file).eval()
    with torch.no_grad():
        found = [list(expert(batch)["hidden_states"]) for batch in torch.load(clips)]
    torch.save(found, states)


if __name__ == "__main__":
    do_without_native_parts()
    for job in json.loads(Path(sys.argv[1]).read_text()):
        encode(**job)
