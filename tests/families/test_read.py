"""Every layout gives the encoder of transformers' directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from mergekit_speech.cli import main
from mergekit_speech.encoders.encoder import Frames
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.layouts.read import open_encoder
from tests.families.cells import DIRECTORY, WHOLE, cells
from tests.families.conftest import Written


def encode(path: Path) -> Frames:
    encoder = load_encoder(path).eval()
    waveforms = torch.randn(2, 6_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        frames: Frames = encoder(waveforms, torch.tensor([6_000, 4_123]))
    return frames


@pytest.mark.parametrize(("family", "layout"), cells("read"))
def test_every_layout_gives_the_same_hidden_states(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    path = written(family, layout)
    assert open_encoder(path).family == family
    if layout not in WHOLE:
        named = [str(path), str(tmp_path / "converted"), "--like", str(written(family, DIRECTORY))]
        done = CliRunner().invoke(main, ["convert", *named, "--layout", "transformers"])
        path = tmp_path / "converted"
        assert done.exit_code == 0, done.output
    ours, expected = encode(path), encode(written(family, DIRECTORY))
    assert len(ours.states) == 3
    assert all(map(torch.equal, ours.states, expected.states))
    assert ours.lengths.tolist() == expected.lengths.tolist()
