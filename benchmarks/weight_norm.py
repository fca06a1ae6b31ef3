"""What it changes to merge the effective weight of the positional convolution in place of its length and direction.

Fine-tunes the shipped encoder on the shipped clips as the demo does, merges it both ways, and compares the effective
weights and, on clips, the hidden states. Norms are L2; each difference is given beside what the merge itself changed.

    python -m benchmarks.weight_norm [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file

from benchmarks.records import record
from mergekit_speech import finetune, merge
from mergekit_speech.demo import CLIPS, ENCODER
from mergekit_speech.demo.run import TASK, TUNING_CLIPS, TUNING_RATE, TUNING_STEPS
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.ops.weight_norm import weight_norm
from mergekit_speech.speech.audio import read_audio

ALPHAS = (0.25, 0.5)
HEARD = 8
CONVOLUTION = "encoder.pos_conv_embed.conv.parametrizations.weight.original"

Floats = npt.NDArray[np.float64]


def compare(apart: Floats, together: Floats, base: Floats) -> dict[str, float]:
    """Compare two merges.

    Args:
        apart: Values of the merge of length and direction.
        together: Those of the merge of the effective weight.
        base: Those of the base.

    Returns:
        The difference as a share of the values, and as a share of what merging changed.
    """
    difference = float(np.linalg.norm(apart - together))
    return {
        "of_values": difference / float(np.linalg.norm(together)),
        "of_change": difference / float(np.linalg.norm(together - base)),
    }


def read_weight(folder: Path) -> Floats:
    """Work out the effective weight of an encoder's positional convolution."""
    values = load_file(folder / "model.safetensors")
    weight: Floats = weight_norm(values[f"{CONVOLUTION}0"], values[f"{CONVOLUTION}1"]).astype(np.float64)
    return weight


def read_states(folder: Path) -> Floats:
    """Compute all hidden states of some test clips, one behind the other."""
    encoder = load_encoder(folder).eval()
    rows = [json.loads(line) for line in (CLIPS / TASK / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    found = []
    for row in [each for each in rows if each["split"] == "test"][:HEARD]:
        samples = torch.as_tensor(read_audio(CLIPS / row["path"]))
        with torch.no_grad():
            found += [
                state.numpy().reshape(-1) for state in encoder(samples[None], torch.tensor([len(samples)])).states
            ]
    return np.concatenate(found).astype(np.float64)


def measure(alpha: float, tuned: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Merge both ways, and compare."""
    apart, together = folder / f"apart-{alpha}", folder / f"together-{alpha}"
    merge(ENCODER, tuned, alpha=alpha, output=apart)
    merge(ENCODER, tuned, alpha=alpha, effective_weight_norm=True, output=together)
    places = (apart, together, ENCODER)
    return {
        "weight": compare(*(read_weight(each) for each in places)),
        "hidden_states": compare(*(read_states(each) for each in places)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the line, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to fine-tune and merge; default: the temporary folder")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        run = Path(folder) / "run"
        settings: dict[str, Any] = {"steps": TUNING_STEPS, "learning_rate": TUNING_RATE, "clips": TUNING_CLIPS}
        finetune(ENCODER, task=TASK, data=CLIPS, output=run, **settings)
        found = {str(alpha): measure(alpha, run / "encoder", Path(folder)) for alpha in ALPHAS}
    record("weight_norm", {"task": TASK, **settings, "alphas": found}, reached=True)


if __name__ == "__main__":
    main()
