"""Hidden states: the encoder's own, computed once, within a budget."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mergekit_speech.encoders.encoder import Encoder, Frames
from mergekit_speech.encoders.filterbank import LogMel
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError, DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.states import StateStore, name_states
from tests.conftest import ROOT
from tests.speech.corpus import noise, saved_clip

PLENTY = 1 << 30


class Counting(Encoder):
    """Two states of four dimensions that count the clips heard; draws random numbers as some encoders do."""

    dim, depth, stride = 4, 2, 160

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
        assert waveforms.shape[0] == 1
        assert torch.is_inference_mode_enabled()
        self.heard += 1
        torch.rand(3)
        level = waveforms[:, ::160, None].expand(-1, -1, 4)
        return Frames((level, level * 2), torch.tensor([level.shape[1]]))


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return [saved_clip(tmp_path, f"c{number}", noise(0.1, number)) for number in range(4)]


CLIP_BYTES = 2 * 10 * 4 * 4
# With room for the digest and the index of their file.
TWO_CLIPS = 1100


def test_states_are_those_of_the_clip_alone(tiny_encoder: Path, clips: list[Clip]) -> None:
    encoder = load_encoder(tiny_encoder).eval()
    states = StateStore(load_encoder(tiny_encoder), "e", PLENTY).read(clips[0])
    wave = torch.from_numpy(_samples(clips[0]))[None]
    with torch.no_grad():
        expected = encoder(wave, torch.tensor([wave.shape[1]]))
    assert states.shape == (encoder.depth, int(expected.lengths[0]), encoder.dim)
    assert states.dtype is torch.float32
    assert torch.equal(states, torch.cat(expected.states))
    assert not states.is_inference()


def _samples(clip: Clip) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    from mergekit_speech.speech.audio import read_audio

    samples: np.ndarray[tuple[int], np.dtype[np.float32]] = read_audio(clip.path)
    return samples


def test_encoder_is_frozen_and_does_not_change(tiny_hubert: Path, clips: list[Clip]) -> None:
    encoder = load_encoder(tiny_hubert)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    StateStore(encoder, "e", PLENTY).prepare(clips)
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_each_clip_is_heard_once(clips: list[Clip]) -> None:
    encoder, told = Counting(), list[int]()
    store = StateStore(encoder, "e", PLENTY)
    assert store.missing([*clips, clips[0]]) == 4
    store.prepare([*clips, clips[0]], clips[:2], lambda: told.append(1))
    assert (encoder.heard, len(told), store.missing(clips, clips[:2])) == (4, 4, 0)
    for clip in clips:
        assert torch.equal(store.read(clip), store.read(clip))
    store.prepare(clips, clips[:2], lambda: told.append(1))
    assert (encoder.heard, len(told)) == (4, 4)


def test_mean_over_frames_is_kept_alone(clips: list[Clip]) -> None:
    encoder = Counting()
    store = StateStore(encoder, "e", budget=0)
    store.prepare([], clips)
    assert (encoder.heard, store.missing([], clips)) == (4, 0)
    mean = store.read_mean(clips[1])
    assert encoder.heard == 4
    assert mean.shape == (2, 1, 4)
    assert torch.allclose(mean, store.read(clips[1]).mean(dim=1, keepdim=True))


def test_what_does_not_fit_is_computed_each_time(clips: list[Clip]) -> None:
    encoder = Counting()
    store = StateStore(encoder, "e", budget=TWO_CLIPS)
    store.prepare(clips)
    assert store.missing(clips) == 2
    heard = encoder.heard
    first, again = store.read(clips[3]), store.read(clips[3])
    assert torch.equal(first, again)
    assert encoder.heard == heard + 2
    store.read(clips[0])
    assert encoder.heard == heard + 2


def test_means_are_computed_where_frames_no_longer_fit(clips: list[Clip]) -> None:
    store = StateStore(Counting(), "e", budget=TWO_CLIPS // 2)
    store.prepare(clips, clips)
    assert (store.missing(clips), store.missing([], clips)) == (3, 0)


def test_what_is_heard_soon_replaces_what_is_heard_late(clips: list[Clip]) -> None:
    encoder = Counting()
    store = StateStore(encoder, "e", budget=TWO_CLIPS)
    store.prepare(clips[2:])
    store.prepare([clips[0], *clips[1:]])
    assert (store.missing(clips[:2]), store.missing(clips[2:])) == (0, 2)


def test_only_what_is_heard_now_is_computed(clips: list[Clip]) -> None:
    encoder = Counting()
    store = StateStore(encoder, "e", PLENTY)
    store.prepare(clips, clips[1:], now=clips[:2])
    assert encoder.heard == 2
    assert (store.missing(clips), store.missing([], clips[1:])) == (2, 2)


def test_encoding_leaves_the_random_numbers_alone(clips: list[Clip]) -> None:
    store = StateStore(Counting(), "e", budget=0)
    torch.manual_seed(0)
    store.read(clips[0])
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


def test_frames_without_audio_are_left_out(clips: list[Clip]) -> None:
    encoder = LogMel()
    states = StateStore(encoder, "e", PLENTY).read(clips[0])
    frames = encoder(torch.zeros(1, 1600), torch.tensor([1600]))
    assert states.shape[1] == int(frames.lengths[0])


def test_values_that_are_not_finite_name_encoder_and_clip(clips: list[Clip], tiny_hubert: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    dict(encoder.named_parameters())["model.feature_projection.projection.bias"].data[0] = math.nan
    with pytest.raises(CheckpointError, match=r"encoder tuned: hidden states of .*c0\.wav are not finite: its weights"):
        StateStore(encoder, "tuned", PLENTY).read(clips[0])


def test_clip_that_no_encoder_takes_is_named(clips: list[Clip]) -> None:
    class Small(Counting):
        def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
            raise RuntimeError("not enough memory\nat line 7")

    said = r"jsonl:c0: encoder e cannot encode clip 'c0' of 1600 samples \(not enough memory\): drop it if"
    with pytest.raises(DataError, match=said):
        StateStore(Small(), "e", PLENTY).read(clips[0])


def test_clip_that_is_gone_is_named(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "c0.wav").unlink()
    with pytest.raises(
        DataError,
        match=r"jsonl:c0: clip .*c0\.wav cannot be read \(No such file or directory\): check the path and the data",
    ):
        StateStore(Counting(), "e", PLENTY).read(clips[0])


def test_float16_is_half_the_room_and_as_good_as_not_kept(clips: list[Clip]) -> None:
    stores = [StateStore(Counting(), "e", budget, form="float16") for budget in (PLENTY, 0)]
    for store in stores:
        store.prepare(clips)
    kept, computed = (store.read(clips[0]) for store in stores)
    assert torch.equal(kept, computed)
    assert kept.dtype is torch.float32
    exact = StateStore(Counting(), "e", 0).read(clips[0])
    assert not torch.equal(kept, exact)
    assert torch.allclose(kept, exact, rtol=2**-11)


def test_float16_refuses_what_it_cannot_hold(clips: list[Clip]) -> None:
    class Loud(Counting):
        def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
            return super().forward(waveforms * 1e7, lengths)

    said = r"encoder e: a hidden state of .*c0\.wav is [\d.e+]+, beyond what float16 holds: keep states as float32"
    with pytest.raises(CheckpointError, match=said):
        StateStore(Loud(), "e", PLENTY, form="float16").read(clips[0])


def test_same_recording_at_another_loudness_is_another(clips: list[Clip]) -> None:
    encoder = Counting()
    store, quiet = StateStore(encoder, "e", PLENTY), replace(clips[0], gain=-6.0)
    store.prepare([clips[0], quiet])
    assert encoder.heard == 2
    assert torch.allclose(store.read(quiet), store.read(clips[0]) * 10 ** (-6 / 20))


def test_same_recording_under_another_name_is_heard_once(clips: list[Clip], tmp_path: Path) -> None:
    encoder = Counting()
    twin = replace(clips[0], id="twin", path=tmp_path / "twin.wav")
    (tmp_path / "twin.wav").write_bytes(clips[0].path.read_bytes())
    store = StateStore(encoder, "e", PLENTY)
    store.prepare([clips[0], twin])
    assert encoder.heard == 1


def test_name_changes_with_all_that_states_depend_on() -> None:
    cpu = torch.device("cpu")
    names = {name_states("a", cpu, "float32"), name_states("b", cpu, "float32"), name_states("a", cpu, "float16")}
    assert len(names) == 3
    assert name_states("a", cpu, "float32") in names


MEMORY = """
import re, sys, torch
from pathlib import Path
from mergekit_speech.encoders.encoder import Encoder, Frames
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.states import StateStore

class Wide(Encoder):
    dim, depth, stride = 1024, 25, 160
    def forward(self, waveforms, lengths):
        state = waveforms[:, ::160, None].expand(-1, -1, 1024).contiguous()
        return Frames((state,) * 25, torch.tensor([state.shape[1]]))

def own():
    return int(re.search(r"RssAnon:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) >> 10

clips = [Clip(path.stem, path, 0.5, "train", {}, path.stem) for path in sorted(Path(sys.argv[1]).glob("*.wav"))]
store = StateStore(Wide(), "e", 1 << 30)
store.prepare(clips[:2], clips[:2])
before = own()
store.prepare(clips, clips)
total = sum(store.read(clip).nbytes for clip in clips for _ in range(2)) >> 21
assert store.missing(clips, clips) == 0
print(total, own() - before)
"""


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    for number in range(60):
        saved_clip(tmp_path, f"c{number}", noise(0.5, number))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    states, memory = map(int, done.stdout.split())
    assert states > 250
    assert memory < states / 3
