"""Masked prediction of codes: the learner, its batches and its validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.pretraining.codes import Codes
from mergekit_speech.pretraining.cropping import Cropper
from mergekit_speech.pretraining.masking import HUBERT, Masking, mask_spans
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.learner import Learner

TEMPERATURE = 0.1


@dataclass(frozen=True)
class MaskedBatch:
    """Crops of equal length with the codes of their frames.

    Attributes:
        waveforms: float32, shape `(batch, samples)`.
        lengths: int64, all equal to `samples`, shape `(batch,)`.
        codes: int64, shape `(batch, frames)`.
        masked: bool, shape `(batch, frames)`.
    """

    waveforms: torch.Tensor
    lengths: torch.Tensor
    codes: torch.Tensor
    masked: torch.Tensor


class MaskedPrediction(Learner):
    """An encoder that names the codes of frames it cannot see.

    Source: HuBERT (arXiv 2106.07447), equations 1 to 3: cross-entropy of the cosine similarity to each code's
        embedding, over a temperature of 0.1, over the masked frames and, if weighted, over the others.
    """

    def __init__(
        self, encoder: PretrainedEncoder, clusters: int, *, unmasked_weight: float = 0.0, code_dim: int = 128
    ) -> None:
        """Adds the prediction head.

        Args:
            encoder: What is pre-trained, all of it.
            clusters: Number of codes.
            unmasked_weight: Weight of the loss over frames that are not masked; the paper's best model has 0.
            code_dim: Dimensions of a code's embedding.
        """
        super().__init__()
        self.encoder, self._unmasked_weight = encoder, unmasked_weight
        self.final_proj = nn.Linear(encoder.dim, code_dim)
        self.label_embs_concat = nn.Parameter(torch.empty(clusters, code_dim).uniform_())

    def forward(self, batch: MaskedBatch) -> torch.Tensor:
        """See `Learner.forward`."""
        logits, codes, masked = self.predict(batch)
        loss = functional.cross_entropy(logits[masked], codes[masked])
        # A crop of a few frames may be masked as a whole.
        if self._unmasked_weight and not bool(masked.all()):
            loss = loss + self._unmasked_weight * functional.cross_entropy(logits[~masked], codes[~masked])
        return loss

    def predict(self, batch: MaskedBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits `(batch, frames, clusters)`, codes `(batch, frames)` and the mask `(batch, frames)` of a batch."""
        device = self.label_embs_concat.device
        masked = batch.masked.to(device)
        output = self.encoder(batch.waveforms.to(device), batch.lengths.to(device), masked)
        hidden = self.final_proj(output.last).float()
        logits = functional.normalize(hidden, dim=-1) @ functional.normalize(self.label_embs_concat, dim=-1).T
        return logits / TEMPERATURE, batch.codes.to(device), masked


class MaskedBatches:
    """Crops clips to the shortest of their batch, at frame borders, and draws what is hidden."""

    def __init__(
        self, encoder: PretrainedEncoder, audio: AudioStore, codes: Codes, seed: int, masking: Masking = HUBERT
    ) -> None:
        """Keeps what it takes to make batches; `seed` decides crops and masks."""
        self._crop, self._codes, self._seed, self._masking = Cropper(encoder, audio), codes, seed, masking

    def __call__(self, clips: Sequence[Clip], number: int) -> MaskedBatch:
        """Makes batch `number` of the run."""
        rng = np.random.default_rng((self._seed, number))
        known = [self._codes[clip.path] for clip in clips]
        crops = self._crop(clips, rng, [len(each) for each in known])
        codes = [each[first : first + crops.frames] for each, first in zip(known, crops.first, strict=True)]
        batch = pad(clips, crops.waveforms)
        masked = torch.from_numpy(mask_spans(len(clips), crops.frames, rng, self._masking))
        return MaskedBatch(batch.waveforms, batch.lengths, torch.from_numpy(np.stack(codes)), masked)


def validate(learner: MaskedPrediction, batches: Sequence[MaskedBatch]) -> Mapping[str, float]:
    """Loss and accuracy over the masked frames of fixed batches."""
    loss = correct = total = 0.0
    for batch in batches:
        logits, codes, masked = learner.predict(batch)
        loss += float(functional.cross_entropy(logits[masked], codes[masked], reduction="sum"))
        correct += float((logits.argmax(dim=-1) == codes)[masked].sum())
        total += int(masked.sum())
    return {"loss": loss / total, "accuracy": correct / total}
