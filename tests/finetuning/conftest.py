"""A toy corpus: two tones, named by label and spelt by phones, with every split; and an encoder with a codebook."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from mergekit_speech.encoders.pretrained import load_encoder

CODES, CODE_DIM = 5, 8
TONES = {"low": (220.0, ["L", "OW"]), "high": (880.0, ["HH", "AY"])}


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with manifests for ks and pr, 12 training, 4 validation and 4 test clips of half a second."""
    data = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(0)
    rows = [_clip(data, rng, split, number) for split, count in SPLITS.items() for number in range(count)]
    for task in ("ks", "pr"):
        (data / task).mkdir()
        (data / task / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data


SPLITS = {"train": 12, "valid": 4, "test": 4}


def _clip(data: Path, rng: np.random.Generator, split: str, number: int) -> dict[str, object]:
    label = list(TONES)[number % 2]
    frequency, phones = TONES[label]
    seconds = 0.4 + 0.02 * number
    time = np.arange(round(16_000 * seconds)) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * frequency * time) + 0.01 * rng.standard_normal(len(time))
    name = f"{split}{number}"
    soundfile.write(data / f"{name}.wav", samples, 16_000)
    return {"id": name, "path": f"{name}.wav", "duration": seconds, "split": split, "label": label, "phones": phones}


@pytest.fixture(scope="session")
def with_codebook(tiny_hubert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny HuBERT with a pre-training head, as a checkpoint of transformers keeps what it has no place for."""
    folder = tmp_path_factory.mktemp("codebook") / "encoder"
    shutil.copytree(tiny_hubert, folder)
    tensors = load_file(folder / "model.safetensors")
    dim = load_encoder(tiny_hubert).dim
    with torch.random.fork_rng():
        torch.manual_seed(5)
        head = {
            "final_proj.weight": torch.randn(CODE_DIM, dim),
            "final_proj.bias": torch.randn(CODE_DIM),
            "label_embs_concat": torch.randn(CODES, CODE_DIM),
        }
    save_file({**tensors, **head}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
