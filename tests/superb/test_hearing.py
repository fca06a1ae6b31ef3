"""Encoding clips together: what is said of a clip does not depend on its company."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.encoders.filterbank import Filterbank
from mergekit_speech.encoders.pretrained import load_encoder, new_encoder
from mergekit_speech.encoders.wav2vec2 import FAMILY
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.hearing import arithmetic, hear
from tests.speech.corpus import noise, saved_clip

CPU = torch.device("cpu")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Two clips are equally long."""
    return [saved_clip(tmp_path, f"c{n}", noise(s, n)) for n, s in enumerate((0.2, 0.11, 0.2, 0.303))]


@pytest.fixture
def layer_norm() -> Encoder:
    """A wav2vec 2.0 of the large models' kind, which does not hear padding."""
    from transformers import Wav2Vec2Config

    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=[16] * 7,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    return new_encoder(config, FAMILY, normalize=True, seed=0)


def assert_same_alone(encoder: Encoder, clips: list[Clip]) -> None:
    encoder = encoder.eval().requires_grad_(False)
    together = hear(encoder, "e", CPU, clips)
    for clip, states in zip(clips, together, strict=True):
        [alone] = hear(encoder, "e", CPU, [clip])
        torch.testing.assert_close(states, alone, atol=1e-5, rtol=0)


def test_encoder_that_does_not_hear_padding_takes_all_lengths(layer_norm: Encoder, clips: list[Clip]) -> None:
    assert not layer_norm.hears_padding
    heard = list[tuple[int, ...]]()
    layer_norm.register_forward_pre_hook(lambda _, arguments: heard.append(tuple(arguments[0].shape)))
    assert_same_alone(layer_norm, clips)
    assert heard[0] == (4, 4848)


@pytest.mark.parametrize("family", ["hubert", "wav2vec2", "wavlm"])
def test_encoder_that_hears_padding_takes_equal_lengths(
    tiny_encoders: Mapping[str, Path], clips: list[Clip], family: str
) -> None:
    encoder = load_encoder(tiny_encoders[family])
    assert encoder.hears_padding
    heard = list[tuple[int, ...]]()
    encoder.register_forward_pre_hook(lambda _, arguments: heard.append(tuple(arguments[0].shape)))
    assert_same_alone(encoder, clips)
    assert heard[:3] == [(2, 3200), (1, 1760), (1, 4848)]


def test_features_are_taken_from_equal_lengths(clips: list[Clip]) -> None:
    assert Filterbank().hears_padding
    assert_same_alone(Filterbank(), clips)


def test_cpu_computes_in_float32() -> None:
    assert arithmetic(CPU) == "float32"
