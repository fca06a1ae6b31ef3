"""Tiny encoders of every family in every layout, and the same tuned a little; those of one family hold the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from mergekit_speech.encoders.family import families
from tests.conftest import KIN
from tests.families.cells import BIN, DIRECTORY, FAIRSEQ, RUN, S3PRL, SPIN, TASK_MODEL
from tests.layouts.samples import (
    FAMILIES,
    Sample,
    antiquated,
    write_fairseq,
    write_folder,
    write_run,
    write_s3prl,
    write_spin,
)

# 20 ms a frame, as in the real ones.
CONVOLUTIONS = ((16, 10, 5), *((16, 3, 2),) * 4, *((16, 2, 2),) * 2)
MOVED = 0.01
FILES = {S3PRL: write_s3prl, RUN: write_run, SPIN: write_spin, FAIRSEQ: write_fairseq}
WEIGHTS, WEIGHTS_BIN = "model.safetensors", "pytorch_model.bin"


def sample_of(family: str, *, tuned: bool = False) -> Sample:
    """Describe the encoder of a family that has layouts beside those of transformers."""
    seed = FAMILIES.index(family)
    return Sample(family, hidden=32, inner=64, convolutions=CONVOLUTIONS, seed=seed, moved=MOVED * tuned)


def write(family: str, layout: str, path: Path, *, tuned: bool = False) -> Path:
    """Write the encoder of a family in a layout, into a folder or a file."""
    if layout in FILES:
        return FILES[layout](path, sample_of(family, tuned=tuned))
    if layout == DIRECTORY:
        return write_directory(family, path, tuned=tuned)
    start = write_directory(family, path.with_name(f"{path.name}-start"), tuned=tuned)
    return {TASK_MODEL: write_task_model, BIN: write_bin}[layout](family, start, path)


def write_directory(family: str, folder: Path, *, tuned: bool) -> Path:
    """Write it as transformers does, bare."""
    if family in FAMILIES:
        return write_folder(folder, sample_of(family, tuned=tuned))
    from transformers import AutoConfig, AutoModel

    with torch.random.fork_rng():
        torch.manual_seed(13)
        AutoModel.from_config(AutoConfig.for_model(family, **KIN[family])).save_pretrained(folder)
    if tuned:
        random, frozen = np.random.default_rng(0), families()[family].frozen
        weights = load_file(folder / WEIGHTS)
        for name, each in weights.items():
            if not name.startswith(frozen):
                weights[name] = (each + MOVED * random.standard_normal(each.shape)).astype(each.dtype)
        save_file(weights, folder / WEIGHTS, {"format": "pt"})
    return folder


def write_task_model(family: str, start: Path, folder: Path) -> Path:
    """Let transformers put a head of its own on the encoder."""
    from transformers import AutoModelForCTC, WhisperForConditionalGeneration

    if family == "whisper":
        WhisperForConditionalGeneration.from_pretrained(start).save_pretrained(folder)
    else:
        AutoModelForCTC.from_pretrained(start, vocab_size=5).save_pretrained(folder)
    return folder


def write_bin(family: str, start: Path, folder: Path) -> Path:
    """Write it as older versions of transformers did."""
    shutil.copytree(start, folder)
    weights = {antiquated(name): torch.from_numpy(each) for name, each in load_file(folder / WEIGHTS).items()}
    (folder / WEIGHTS).unlink()
    torch.save(weights, folder / WEIGHTS_BIN)
    return folder
