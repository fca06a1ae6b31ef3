"""wav2vec 2.0's objective: the learner, its batches and its validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mergekit_speech.encoders.waveform_encoder import WaveformEncoder
from mergekit_speech.pretraining.cropping import Cropper
from mergekit_speech.pretraining.masking import HUBERT, Masking, mask_spans
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.learner import Learner

HOTTEST, COLDEST = 2.0, 0.5
COLD_FROM = 0.7
"""Share of the steps after which the temperature stays; wav2vec 2.0 gets there at 277 of 400 thousand."""


@dataclass(frozen=True)
class ContrastiveBatch:
    """Crops of equal length with the frames that each masked frame is told from.

    Attributes:
        waveforms: float32, shape `(batch, samples)`.
        lengths: int64, all equal to `samples`, shape `(batch,)`.
        masked: bool, shape `(batch, frames)`.
        negatives: int64, indices into all frames of the batch, shape `(batch, frames, negatives)`; zeros where nothing
            is masked.
    """

    waveforms: torch.Tensor
    lengths: torch.Tensor
    masked: torch.Tensor
    negatives: torch.Tensor


class ContrastivePrediction(Learner):
    """An encoder that tells the quantized frame it cannot see from other frames of the same clip.

    Source: wav2vec 2.0 (arXiv 2006.11477), equations 1 to 4, as transformers' `Wav2Vec2ForPreTraining` computes them.
    """

    def __init__(self, encoder: WaveformEncoder, steps: int) -> None:
        """Adds the quantizer.

        Args:
            encoder: What is pre-trained, all of it.
            steps: Of the whole run; the quantizer's temperature falls over the first 70 % of them.
        """
        from transformers import Wav2Vec2ForPreTraining

        super().__init__()
        self.encoder, self._steps = encoder, steps
        self._objective: Any = Wav2Vec2ForPreTraining._from_config(encoder.model.config)
        self._objective.wav2vec2 = encoder.model

    def enter(self, step: int) -> bool:
        """See `Learner.enter`: cools the quantizer."""
        share = min(1.0, step / (COLD_FROM * self._steps))
        self._objective.set_gumbel_temperature(HOTTEST * (COLDEST / HOTTEST) ** share)
        return super().enter(step)

    def forward(self, batch: ContrastiveBatch) -> torch.Tensor:
        """See `Learner.forward`."""
        loss: torch.Tensor = self.predict(batch).loss
        return loss / batch.masked.sum()

    def predict(self, batch: ContrastiveBatch) -> Any:
        """What transformers' model gives for a batch: losses summed over masked frames, and projected states."""
        device = next(self.encoder.parameters()).device
        waveforms, lengths = batch.waveforms.to(device), batch.lengths.to(device)
        self.encoder.model.config.apply_spec_augment = True
        return self._objective(
            self.encoder.scaled(waveforms, lengths),
            mask_time_indices=batch.masked.to(device),
            sampled_negative_indices=batch.negatives.to(device),
        )


class ContrastiveBatches:
    """Crops clips to the shortest of their batch, at frame borders; draws what is hidden and what it is told from."""

    def __init__(self, encoder: WaveformEncoder, audio: AudioStore, seed: int, masking: Masking = HUBERT) -> None:
        """Keeps what it takes to make batches; `seed` decides crops, masks and negatives."""
        config: Any = encoder.model.config
        self._crop, self._seed, self._masking = Cropper(encoder, audio), seed, masking
        self._negatives: int = config.num_negatives

    def __call__(self, clips: Sequence[Clip], number: int) -> ContrastiveBatch:
        """Makes batch `number` of the run."""
        rng = np.random.default_rng((self._seed, number))
        crops = self._crop(clips, rng)
        batch = pad(clips, crops.waveforms)
        masked = mask_spans(len(clips), crops.frames, rng, self._masking)
        negatives = np.zeros((*masked.shape, self._negatives), np.int64)
        for row, hidden in enumerate(masked):
            places = np.flatnonzero(hidden)
            # One step past itself and up to one before, round the masked frames: never itself, all others alike.
            away = rng.integers(1, max(2, len(places)), (len(places), self._negatives))
            chosen = places[(np.arange(len(places))[:, None] + away) % len(places)]
            negatives[row, places] = row * crops.frames + chosen
        return ContrastiveBatch(batch.waveforms, batch.lengths, torch.from_numpy(masked), torch.from_numpy(negatives))


def validate(learner: ContrastivePrediction, batches: Sequence[ContrastiveBatch]) -> Mapping[str, float]:
    """Contrastive loss over the masked frames of fixed batches, and how often the right frame is the nearest one."""
    loss = correct = total = 0.0
    for batch in batches:
        found = learner.predict(batch)
        loss += float(found.contrastive_loss)
        states, targets = found.projected_states, found.projected_quantized_states
        others = targets.flatten(0, 1)[batch.negatives.to(targets.device)]
        near = functional.cosine_similarity(states, targets, dim=-1)
        nearest = functional.cosine_similarity(states[:, :, None], others, dim=-1).amax(dim=-1)
        correct += float((near > nearest)[batch.masked.to(near.device)].sum())
        total += int(batch.masked.sum())
    return {"loss": loss / total, "accuracy": correct / total}
