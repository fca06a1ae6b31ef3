"""Masked prediction: batches in step with their codes, the loss by hand, validation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.pretraining.masked_prediction import MaskedBatch, MaskedBatches, MaskedPrediction, validate
from mergekit_speech.pretraining.masking import Masking
from mergekit_speech.pretraining.run import fresh_encoder
from mergekit_speech.speech.audio import AudioStore, Waveform
from mergekit_speech.speech.clip import Clip
from tests.pretraining.melodies import SHAPE
from tests.speech.corpus import make_clip

CLUSTERS = 7
STRIDE = 320


class Counted(AudioStore):
    """Every sample's value is its own index, so that a crop tells where it was cut."""

    def read(self, clip: Clip) -> Waveform:
        return np.arange(round(clip.duration * 16_000), dtype=np.float32)


@pytest.fixture(scope="module")
def encoder() -> PretrainedEncoder:
    return fresh_encoder(SHAPE, seed=0)


@pytest.fixture
def batch() -> MaskedBatch:
    rng = np.random.default_rng(0)
    return MaskedBatch(
        waveforms=torch.from_numpy(rng.standard_normal((2, 8000)).astype(np.float32)),
        lengths=torch.tensor([8000, 8000]),
        codes=torch.from_numpy(rng.integers(0, CLUSTERS, (2, 24))),
        masked=torch.from_numpy(rng.random((2, 24)) < 0.5),
    )


def learner_of(encoder: PretrainedEncoder, **weights: float) -> MaskedPrediction:
    torch.manual_seed(0)
    return MaskedPrediction(encoder, CLUSTERS, code_dim=12, **weights).eval()


def batches_of(encoder: PretrainedEncoder, clips: list[Clip], extra: int = 1, seed: int = 0) -> MaskedBatches:
    codes = {
        clip.path: np.arange(int(encoder.frames(torch.tensor(round(clip.duration * 16_000)))) + extra) for clip in clips
    }
    return MaskedBatches(encoder, Counted(), codes, seed, Masking(5, 0.5))


@pytest.mark.parametrize("durations", [(2.0, 3.3, 2.71), (0.3, 0.47), (1.0, 1.0), (0.025,)])
@pytest.mark.parametrize("extra", [0, 1])
def test_crops_and_codes_start_at_the_same_frame(
    encoder: PretrainedEncoder, durations: tuple[float, ...], extra: int
) -> None:
    clips = [make_clip(str(number), duration) for number, duration in enumerate(durations)]
    make = batches_of(encoder, clips, extra)
    for number in range(20):
        made = make(clips, number)
        frames = int(encoder.frames(made.lengths[0]))
        assert made.codes.shape == made.masked.shape == (len(clips), frames)
        assert set(made.lengths.tolist()) == {made.waveforms.shape[1]}
        for row, codes, clip in zip(made.waveforms, made.codes, clips, strict=True):
            start = int(row[0])
            assert torch.equal(row, torch.arange(start, start + len(row), dtype=torch.float32))
            assert row[-1] < clip.duration * 16_000
            assert torch.equal(codes, start // STRIDE + torch.arange(frames))
            assert start % STRIDE == 0
        assert made.masked.any(dim=1).all()


@pytest.mark.parametrize(("durations", "samples"), [((2.0, 3.3), 32_000), ((2.3, 2.9), 32_000), ((0.3, 0.47), 4_800)])
def test_crops_come_in_few_lengths(encoder: PretrainedEncoder, durations: tuple[float, ...], samples: int) -> None:
    clips = [make_clip(str(number), duration) for number, duration in enumerate(durations)]
    assert batches_of(encoder, clips)(clips, 0).waveforms.shape == (2, samples)


def test_batch_depends_on_seed_and_number(encoder: PretrainedEncoder) -> None:
    clips = [make_clip("0", 2.0), make_clip("1", 9.0)]

    def start(seed: int, number: int) -> float:
        return float(batches_of(encoder, clips, seed=seed)(clips, number).waveforms[1, 0])

    assert start(0, 4) == start(0, 4)
    assert len({start(0, number) for number in range(8)}) > 4
    assert start(0, 4) != start(1, 4)


def test_logits_are_cosines_over_the_temperature(encoder: PretrainedEncoder, batch: MaskedBatch) -> None:
    learner = learner_of(encoder)
    with torch.no_grad():
        logits, codes, masked = learner.predict(batch)
        hidden = learner.final_proj(encoder(batch.waveforms, batch.lengths, batch.masked).last)
        cosine = functional.cosine_similarity(hidden[1, 5], learner.label_embs_concat[3], dim=0)
    assert logits.shape == (2, 24, CLUSTERS)
    assert torch.equal(codes, batch.codes)
    assert torch.equal(masked, batch.masked)
    assert float(logits[1, 5, 3]) == pytest.approx(float(cosine) / 0.1, rel=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_loss_by_hand(encoder: PretrainedEncoder, batch: MaskedBatch, weight: float) -> None:
    learner = learner_of(encoder, unmasked_weight=weight)
    with torch.no_grad():
        logits, codes, masked = learner.predict(batch)
        loss = float(learner(batch))
    each = -logits.log_softmax(dim=-1).gather(2, codes[..., None])[..., 0]
    expected = float(each[masked].mean()) + weight * float(each[~masked].mean())
    assert loss == pytest.approx(expected, rel=1e-5)


def test_batch_that_is_masked_as_a_whole_has_a_loss(encoder: PretrainedEncoder, batch: MaskedBatch) -> None:
    whole = MaskedBatch(batch.waveforms, batch.lengths, batch.codes, torch.ones_like(batch.masked))
    with torch.no_grad():
        loss = float(learner_of(encoder, unmasked_weight=1.0)(whole))
        assert math.isfinite(loss)
        assert loss == float(learner_of(encoder)(whole))


def test_everything_learns_but_what_no_loss_reaches(encoder: PretrainedEncoder, batch: MaskedBatch) -> None:
    learner = learner_of(encoder)
    learner(batch).backward()
    assert [name for name, parameter in learner.named_parameters() if parameter.grad is None] == []
    learner.zero_grad()


def test_validation_weighs_every_masked_frame_alike(encoder: PretrainedEncoder, batch: MaskedBatch) -> None:
    learner = learner_of(encoder)
    few = MaskedBatch(batch.waveforms, batch.lengths, batch.codes, torch.zeros_like(batch.masked))
    few.masked[0, 3] = True
    with torch.no_grad():
        found = validate(learner, [batch, few])
        parts = [(*learner.predict(one)[:2], one.masked) for one in (batch, few)]
    logits = torch.cat([logits[masked] for logits, _, masked in parts])
    codes = torch.cat([codes[masked] for _, codes, masked in parts])
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(logits, codes)), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((logits.argmax(dim=1) == codes).float().mean()))


def test_paths_of_codes_are_those_of_the_clips(encoder: PretrainedEncoder) -> None:
    clips = [make_clip("0", 1.0)]
    assert clips[0].path == Path("0.wav")
    with pytest.raises(KeyError):
        batches_of(encoder, [])(clips, 0)
