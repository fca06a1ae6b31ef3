"""Encoders that read waveforms through a CNN: HuBERT, wav2vec 2.0, WavLM and their kin in transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch

from mergekit_speech.encoders.encoder import Frames, frame_mask
from mergekit_speech.encoders.family import Family, Padding
from mergekit_speech.encoders.pretrained import (
    PREPROCESSOR,
    PretrainedEncoder,
    convolve_in_float32,
    read_object,
)

EPSILON = {"fairseq": 1e-5, "transformers": 1e-7}
"""What is added to a waveform's variance before it is divided by its root."""


class WaveformEncoder(PretrainedEncoder):
    """A CNN and a transformer on it.

    fairseq, with which the published encoders were trained and, through s3prl, fine-tuned and probed, differs from
    transformers in two ways; `conventions` chooses. With fairseq's, HuBERT and WavLM may look at one frame more of a
    padded row (`Padding.SLOTS`), and quiet waveforms are scaled up a little less (`EPSILON`). fairseq's are the
    default, so that features are those behind published results; transformers' make a row's features independent of
    the rows beside it in layer-norm models.

    Attributes:
        normalize: Whether each waveform is brought to zero mean and unit variance first.
    """

    def __init__(self, model: Any, family: Family, *, normalize: bool) -> None:
        """Wraps a bare model, which is owned from here on."""
        super().__init__(model, family, stride=model.config.inputs_to_logits_ratio)
        self.normalize: bool = normalize
        # Nobody wants the gradient of the waveform, which transformers asks for and which is dear.
        model.feature_extractor._requires_grad = False
        convolve_in_float32(model.encoder.pos_conv_embed)

    @property
    def hears_padding(self) -> bool:
        """See `Encoder.hears_padding`: a CNN with a group norm does, and so does a mask of one frame too many."""
        grouped = getattr(self.model.config, "feat_extract_norm", "layer") == "group"
        blurred = self.conventions == "fairseq" and self.family.padding is Padding.SLOTS
        return grouped or blurred or self.family.padding is Padding.NONE

    @classmethod
    def open(cls, model: Any, family: Family, folder: Path) -> Self:
        """See `PretrainedEncoder.open`."""
        return cls(model, family, normalize=reads_normalized(folder, model.config))

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor, masked: torch.Tensor | None = None) -> Frames:
        """Encodes a batch.

        Args:
            waveforms: float32 in [-1, 1], zero-padded, shape `(batch, samples)`.
            lengths: int64, samples of each row that are audio, shape `(batch,)`.
            masked: Frames to replace by the mask embedding, bool, shape `(batch, frames)`; masked prediction only.
        """
        self.model.config.apply_spec_augment = masked is not None
        output = self.model(
            self.scaled(waveforms, lengths),
            attention_mask=self._seen(lengths, waveforms.shape[1]),
            mask_time_indices=masked,
            output_hidden_states=True,
        )
        # transformers leaves the final layer norm out of the last hidden state of layer-norm models.
        states = (*output.hidden_states[:-1], output.last_hidden_state)
        return Frames(states, self.frames(lengths))

    def scaled(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Waveforms as the model expects them, shape `(batch, samples)`; arguments as in `forward`."""
        if not self.normalize:
            return waveforms
        return _standardize(waveforms, lengths, EPSILON[self.conventions])

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """See `PretrainedEncoder.frames`."""
        model: Any = self.model
        counts: torch.Tensor = model._get_feat_extract_output_lengths(lengths).long()
        return counts

    def write_preprocessor(self, folder: Path) -> None:
        """See `PretrainedEncoder.write_preprocessor`."""
        from transformers import Wav2Vec2FeatureExtractor

        Wav2Vec2FeatureExtractor(do_normalize=self.normalize).save_pretrained(folder)

    def _seen(self, lengths: torch.Tensor, samples: int) -> torch.Tensor | None:
        """The samples that transformers' mask is made from, int64, shape `(batch, samples)`; None for all."""
        if bool((lengths == samples).all()):
            return None
        if self.conventions == "fairseq" and self.family.padding is Padding.SLOTS:
            frames = int(self.frames(torch.tensor(samples)))
            slot = samples // frames
            lengths = self._samples(((lengths + slot - 1) // slot).clamp(max=frames))
        return frame_mask(lengths, samples).long()

    def _samples(self, frames: torch.Tensor) -> torch.Tensor:
        """The fewest samples that give as many frames."""
        config: Any = self.model.config
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            frames = (frames - 1) * stride + kernel
        return frames


def _standardize(waveforms: torch.Tensor, lengths: torch.Tensor, epsilon: float) -> torch.Tensor:
    audible = frame_mask(lengths, waveforms.shape[1])
    count = audible.sum(dim=1, keepdim=True)
    mean = waveforms.sum(dim=1, keepdim=True) / count
    centred = (waveforms - mean) * audible
    variance = centred.square().sum(dim=1, keepdim=True) / count
    return centred / torch.sqrt(variance + epsilon)


def reads_normalized(folder: Path, config: Any) -> bool:
    """Whether the encoder expects waveforms of zero mean and unit variance.

    The preprocessor's word counts; without one, layer-norm front ends do and group-norm front ends do not,
    as the published checkpoints of the families.

    Args:
        folder: The transformers directory.
        config: The model's configuration.

    Raises:
        CheckpointError: The preprocessor's file is not a JSON object.
    """
    path = folder / PREPROCESSOR
    if path.is_file():
        return bool(read_object(path).get("do_normalize", True))
    # data2vec has no such setting and layer norms always.
    return getattr(config, "feat_extract_norm", "layer") == "layer"
