"""s3prl's upstream of ours: the encoder's own features, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError
from mergekit_speech.superb.s3prl_engine.upstream import EncoderUpstream


def test_features_are_those_of_the_encoder(tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert).eval()
    waveforms = [torch.ones(8000), torch.linspace(-1, 1, 5000)]
    upstream = EncoderUpstream(encoder)
    with torch.no_grad():
        found = upstream(waveforms)["hidden_states"]
        padded = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
        expected = encoder(padded, torch.tensor([8000, 5000])).states
    assert len(found) == encoder.depth
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert upstream.get_downsample_rates("hidden_states") == 320
    assert not any(parameter.requires_grad for parameter in upstream.parameters())


def test_features_that_are_not_finite(tiny_hubert: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        EncoderUpstream(load_encoder(tiny_hubert))([torch.full((8000,), float("nan"))])
    assert str(caught.value) == "hidden states are not finite: the encoder's weights, or a clip, are damaged"
