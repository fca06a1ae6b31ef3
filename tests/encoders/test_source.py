"""Encoders that are built from files of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from mergekit_speech import weights_digest
from mergekit_speech.encoders.pretrained import load_encoder, random_encoder
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.errors import CheckpointError, MsmError
from mergekit_speech.layouts.convert import convert


@pytest.fixture(params=["hubert", "wav2vec2", "wavlm", "decoar2"])
def pair(
    request: pytest.FixtureRequest, tiny_encoders: Mapping[str, Path], tiny_decoar2: Path, tmp_path: Path
) -> tuple[Path, Path]:
    """A transformers directory, and s3prl's file of the same encoder."""
    folder = {**tiny_encoders, "decoar2": tiny_decoar2}[request.param]
    convert(folder, tmp_path / "encoder.pt", "s3prl")
    return folder, tmp_path / "encoder.pt"


def test_a_file_gives_the_encoder_of_its_directory(pair: tuple[Path, Path]) -> None:
    ours, theirs = (load_encoder(path).eval() for path in pair)
    waveforms, lengths = torch.randn(2, 16_000), torch.tensor([16_000, 9_000])
    with torch.no_grad():
        for one, other in zip(ours(waveforms, lengths).states, theirs(waveforms, lengths).states, strict=True):
            assert torch.equal(one, other)
    assert encoder_digest(pair[0]) == encoder_digest(pair[1]) == weights_digest(pair[0])


def test_a_file_gives_the_shape_of_random_weights(pair: tuple[Path, Path]) -> None:
    ours, theirs = (random_encoder(path, seed=1).model.state_dict() for path in pair)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoder.pt").write_text("no weights")
    with pytest.raises(MsmError, match=r"encoder\.pt"):
        load_encoder(tmp_path / "encoder.pt")


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"expected the folder or file of an encoder, came '.*gone', which does not exist; check"
    ):
        load_encoder(tmp_path / "gone")
