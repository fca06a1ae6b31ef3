"""Targets: one code a frame, in step with the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.pretraining.codes import Codes, cluster, hidden_features, spectral_features
from mergekit_speech.pretraining.run import fresh_encoder
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip
from tests.pretraining.melodies import SHAPE
from tests.speech.corpus import make_clip, noise, saved_clip, tone


@pytest.fixture(scope="module")
def encoder() -> PretrainedEncoder:
    return fresh_encoder(SHAPE, seed=0).eval()


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    names = {"low": tone(0.5, 300), "high": tone(0.5, 3000), "both": np.concatenate([tone(0.3, 300), tone(0.3, 3000)])}
    return [saved_clip(tmp_path, name, samples) for name, samples in names.items()]


def same(one: Codes, other: Codes) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[path], other[path]) for path in one)


@settings(max_examples=40, deadline=None)
@given(st.integers(400, 20_000))
def test_spectral_features_keep_step_with_the_encoder(encoder: PretrainedEncoder, samples: int) -> None:
    features = spectral_features(pad([make_clip()], [noise(1.25)[:samples]]))
    frames = int(encoder.frames(torch.tensor(samples)))
    # One code more than frames at most, never one less.
    assert features.shape[1] - frames in (0, 1)
    assert features.shape[2] == 39


def test_code_of_a_frame_describes_its_own_moment(encoder: PretrainedEncoder) -> None:
    click = np.zeros(16_000, dtype=np.float32)
    frame = 20
    # The encoder's frame t hears samples 320 t to 320 t + 400.
    click[320 * frame + 200] = 0.5
    features = spectral_features(pad([make_clip()], [click]))[0, :, :13]
    silence = spectral_features(pad([make_clip()], [np.zeros_like(click)]))[0, :, :13]
    assert int((features - silence).abs().sum(dim=1).argmax()) == frame


def test_hidden_features_are_the_layers_states(encoder: PretrainedEncoder) -> None:
    batch = pad([make_clip()], [noise(0.5)])
    states = encoder(batch.waveforms, batch.lengths).states
    for layer, state in enumerate(states):
        assert torch.equal(hidden_features(encoder, layer)(batch), state)


def test_sounds_that_differ_get_codes_that_differ(clips: list[Clip]) -> None:
    codes = cluster(clips, AudioStore(), spectral_features, clusters=2, seed=0)
    low, high, both = (codes[clip.path] for clip in clips)
    inner = slice(3, -3)
    assert set(low[inner]) != set(high[inner])
    assert len(set(low[inner])) == len(set(high[inner])) == 1
    assert both[4] == low[4]
    assert both[-5] == high[-5]
    assert {code.dtype for code in codes.values()} == {np.dtype(np.int64)}


def test_codes_depend_on_the_seed_alone(clips: list[Clip], encoder: PretrainedEncoder) -> None:
    extract = hidden_features(encoder, 1)
    first = cluster(clips, AudioStore(), extract, clusters=8, seed=0)
    np.random.seed(5)
    assert same(first, cluster(clips, AudioStore(), extract, clusters=8, seed=0))
    assert not same(first, cluster(clips, AudioStore(), extract, clusters=8, seed=1))


def test_all_frames_get_a_code_though_few_are_fitted_on(clips: list[Clip]) -> None:
    codes = cluster(clips, AudioStore(), spectral_features, clusters=2, seed=0, most_frames=10)
    assert [len(codes[clip.path]) for clip in clips] == [25, 25, 30]


def test_more_codes_than_frames(clips: list[Clip]) -> None:
    with pytest.raises(SettingsError) as caught:
        cluster(clips, AudioStore(), spectral_features, clusters=81, seed=0)
    assert str(caught.value) == "81 clusters need as many frames, the clips have 80: ask for fewer"
