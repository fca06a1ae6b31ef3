"""wav2vec 2.0's objective: negatives, the loss by hand, cooling, and a run from first to last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModel

from mergekit_speech.encoders.waveform_encoder import WaveformEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.pretraining.contrastive import ContrastiveBatches, ContrastivePrediction, validate
from mergekit_speech.pretraining.masking import Masking
from mergekit_speech.pretraining.run import fresh_encoder, pretrain
from mergekit_speech.pretraining.selection import pretraining_clips
from mergekit_speech.pretraining.settings import Architecture, EncoderShape, Norm, PretrainSettings, Round
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.clip import Clip
from tests.pretraining.melodies import MINI, SHAPE, write_melodies

CONTRAST = replace(SHAPE, family="wav2vec2", norm="layer")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    data = tmp_path_factory.mktemp("melodies")
    write_melodies(data, "songs")
    return pretraining_clips(data, ["songs"])


@pytest.fixture
def encoder() -> WaveformEncoder:
    return cast(WaveformEncoder, fresh_encoder(CONTRAST, seed=0))


@pytest.mark.parametrize("masking", [Masking(5, 0.5), Masking(1, 0.01), Masking(40, 1.0)])
def test_negatives_are_other_masked_frames_of_the_same_clip(
    encoder: WaveformEncoder, clips: list[Clip], masking: Masking
) -> None:
    make = ContrastiveBatches(encoder, AudioStore(), 0, masking)
    for number in range(4):
        batch = make(clips[:3], number)
        frames = batch.masked.shape[1]
        assert batch.negatives.shape == (3, frames, 50)
        assert not batch.negatives[~batch.masked].any()
        for row, hidden in enumerate(batch.masked):
            places = set((torch.nonzero(hidden).flatten() + row * frames).tolist())
            for frame in torch.nonzero(hidden).flatten().tolist():
                chosen = set(batch.negatives[row, frame].tolist())
                assert chosen <= places
                # A single masked frame has no other to be told from.
                assert (row * frames + frame in chosen) == (len(places) == 1)


def test_every_other_masked_frame_is_drawn_alike(encoder: WaveformEncoder, clips: list[Clip]) -> None:
    make = ContrastiveBatches(encoder, AudioStore(), 0, Masking(1, 0.2))
    batches = [make(clips[:1], number) for number in range(60)]
    away = []
    for batch in (batch for batch in batches if int(batch.masked.sum()) == 5):
        places = torch.nonzero(batch.masked[0]).flatten()
        order = {int(place): rank for rank, place in enumerate(places)}
        for place in places.tolist():
            away += [(order[int(other)] - order[place]) % len(places) for other in batch.negatives[0, place]]
    counts = np.bincount(away)[1:]
    assert len(counts) == 4
    assert counts.min() > 0.8 * counts.max()


def test_loss_by_hand(encoder: WaveformEncoder, clips: list[Clip]) -> None:
    learner = ContrastivePrediction(encoder, steps=10).eval()
    batch = ContrastiveBatches(encoder, AudioStore(), 0)(clips[:2], 0)
    with torch.no_grad():
        found, loss = learner.predict(batch), float(learner(batch))
    states, targets = found.projected_states, found.projected_quantized_states
    each = []
    for row, frame in torch.nonzero(batch.masked).tolist():
        others = targets.flatten(0, 1)[batch.negatives[row, frame]]
        others = others[(others != targets[row, frame]).any(dim=1)]
        choices = torch.cat([targets[row, frame][None], others])
        logits = functional.cosine_similarity(states[row, frame][None], choices) / 0.1
        each.append(-float(logits.log_softmax(dim=0)[0]))
    codes = 2 * 64
    diversity = (codes - float(found.codevector_perplexity)) / codes
    assert loss == pytest.approx(np.mean(each) + 0.1 * diversity, rel=1e-4)


def test_quantizer_cools_from_two_to_a_half_and_stays(encoder: WaveformEncoder) -> None:
    learner = ContrastivePrediction(encoder, steps=100)
    temperatures = []
    for step in (0, 35, 70, 99):
        learner.enter(step)
        temperatures.append(learner._objective.quantizer.temperature)
    assert temperatures == pytest.approx([2.0, 1.0, 0.5, 0.5])


def test_everything_learns_but_the_mask_free_parts(encoder: WaveformEncoder, clips: list[Clip]) -> None:
    learner = ContrastivePrediction(encoder, steps=10).train()
    learner(ContrastiveBatches(encoder, AudioStore(), 0)(clips[:2], 0)).backward()
    assert [name for name, parameter in learner.named_parameters() if parameter.grad is None] == []


def test_frames_of_a_batch_are_learnt(encoder: WaveformEncoder, clips: list[Clip]) -> None:
    learner = ContrastivePrediction(encoder, steps=60).train()
    batch = ContrastiveBatches(encoder, AudioStore(), 0)(clips[:4], 0)
    optimizer = torch.optim.Adam(learner.parameters(), lr=3e-3)
    losses = []
    torch.manual_seed(0)
    for step in range(60):
        learner.enter(step)
        loss = learner(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_run_leaves_an_encoder_that_transformers_loads(clips: list[Clip], tmp_path: Path) -> None:
    report = pretrain(clips, tmp_path / "run", replace(MINI, shape=CONTRAST, rounds=(Round(None, 3, None),)))
    model = AutoModel.from_pretrained(report.encoder)
    assert type(model).__name__ == "Wav2Vec2Model"
    assert model.config.do_stable_layer_norm
    assert '"do_normalize": true' in (report.encoder / "preprocessor_config.json").read_text()
    assert set(report.rounds[0]) == {"step", "loss", "accuracy"}


def test_validation_weighs_every_masked_frame_alike(encoder: WaveformEncoder, clips: list[Clip]) -> None:
    learner = ContrastivePrediction(encoder, steps=10).eval()
    make = ContrastiveBatches(encoder, AudioStore(), 0)
    one, other = make(clips[:1], 0), make(clips[1:3], 1)
    with torch.no_grad():
        both, first, second = (validate(learner, part) for part in ([one, other], [one], [other]))
    share = int(one.masked.sum()) / int(one.masked.sum() + other.masked.sum())
    for name in ("loss", "accuracy"):
        assert both[name] == pytest.approx(share * first[name] + (1 - share) * second[name], rel=1e-5)
        assert both["accuracy"] <= 1


def test_wavlm_predicts_codes(clips: list[Clip], tmp_path: Path) -> None:
    settings = replace(MINI, shape=replace(SHAPE, family="wavlm"), rounds=(Round(4, 2, None),))
    model = AutoModel.from_pretrained(pretrain(clips, tmp_path / "run", settings).encoder)
    assert type(model).__name__ == "WavLMModel"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda: EncoderShape(family=cast(Architecture, "hubart")),
            "family must be one of hubert, wav2vec2, wavlm, got 'hubart'",
        ),
        (lambda: EncoderShape(norm=cast(Norm, "batch")), "norm must be one of group, layer, got 'batch'"),
        (
            lambda: PretrainSettings(shape=EncoderShape(family="wav2vec2")),
            "wav2vec2 learns its codes in one round without clusters, got ",
        ),
        (lambda: replace(MINI, rounds=(Round(None, 4, None),)), "clusters must be at least 1, got None"),
    ],
)
def test_settings_that_make_no_sense(change: Callable[[], object], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        change()
    assert message in str(raised.value)
