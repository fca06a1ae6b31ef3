"""What the tests of families share: encoders that are written once, and a few clips."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from mergekit_speech.layouts import config
from tests.families.written import sample_of, write
from tests.speech.corpus import noise, save, tone, write_manifest

TONES = {"low": 220.0, "high": 880.0}
SPLITS = ("train", "train", "valid", "test")

Written = Callable[..., Path]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Gives the encoder of a family in a layout, base or tuned, by the arguments of `write`. Never write there."""
    folder, number = tmp_path_factory.mktemp("families"), count()

    @cache
    def once(family: str, layout: str, *, tuned: bool = False) -> Path:
        return write(family, layout, folder / f"{next(number)}", tuned=tuned)

    return once


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two words of `ks`, eight clips in all."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for number, (split, label) in enumerate((split, label) for split in SPLITS for label in TONES):
        save(folder / "audio" / f"{number}.wav", tone(0.4, TONES[label]) + noise(0.4, number))
        rows.append({"id": str(number), "duration": 0.4, "split": split, "label": label})
    write_manifest(folder, "ks", rows)
    return folder


@pytest.fixture(autouse=True)
def _size_of_decoar2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the only size that s3prl's files of DeCoAR 2.0 can have be that of the tiny one."""
    tiny = sample_of("decoar2").config()
    sizes = {
        "encoder_embed_dim": "hidden_size",
        "encoder_ffn_embed_dim": "intermediate_size",
        "encoder_layers": "num_hidden_layers",
        "encoder_attention_heads": "num_attention_heads",
        "conv_pos": "num_conv_pos_embeddings",
        "conv_pos_groups": "num_conv_pos_embedding_groups",
    }
    for name, ours in sizes.items():
        monkeypatch.setitem(config.DECOAR2, name, tiny[ours])
