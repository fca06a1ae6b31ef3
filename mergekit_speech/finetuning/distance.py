"""How far an encoder has moved from its base, at each validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.nn import functional

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.speech.audio import read_clip
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent

CLIPS = 8
"""Validation clips whose features are compared."""


class DistanceToBase:
    """Passes the events of a run on, and adds to each validation how far the encoder is from its base.

    `weight_distance` is ‖θ − θ0‖ / ‖θ0‖ over all parameters of the encoder as it would be kept; `feature_cosine` the
    mean over the frames of some validation clips of the cosine between the last hidden states of θ and θ0. Neither
    draws random numbers nor touches the learner, so a run is the same without them.

    Attributes:
        clips: What is heard.
    """

    def __init__(self, learner: StableLearner, clips: Sequence[Clip], told: Sequence[Observer]) -> None:
        """Remembers the base, which the learner still is.

        Args:
            learner: What is trained.
            clips: Validation clips; at most `CLIPS` of them, spread evenly, are heard.
            told: Who gets the events.
        """
        self._learner, self._told = learner, told
        self.clips = clips[:: -(-len(clips) // CLIPS)]
        self._base = learner.tuned()
        self._heard: list[tuple[WaveBatch, torch.Tensor]] = []

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`.

        Raises:
            DataError: A clip cannot be read.
        """
        batches = [pad([clip], [read_clip(clip)]) for clip in self.clips]
        base = self._base.to(self._learner.device)
        self._heard = [(batch, _features(base, batch)) for batch in batches]
        self._base = base.to("cpu")
        for observer in self._told:
            observer.start(done, steps)

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        for observer in self._told:
            observer.stepped(event)

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""
        encoder = self._learner.tuned()
        base = {"feature_cosine": self._feature_cosine(encoder), "weight_distance": self._weight_distance(encoder)}
        for observer in self._told:
            observer.evaluated(replace(event, base=base))

    def close(self) -> None:
        """See `Observer.close`."""
        for observer in self._told:
            observer.close()

    def _feature_cosine(self, encoder: PretrainedEncoder) -> float:
        cosines = [
            functional.cosine_similarity(_features(encoder, batch), features, dim=-1) for batch, features in self._heard
        ]
        return float(torch.cat(cosines).mean())

    def _weight_distance(self, encoder: PretrainedEncoder) -> float:
        moved = size = 0.0
        pairs = zip(encoder.model.parameters(), self._base.model.parameters(), strict=True)
        for here, there in pairs:
            start = there.detach().double()
            moved += float((here.detach().cpu().double() - start).square().sum())
            size += float(start.square().sum())
        return float((moved / size) ** 0.5)


def _features(encoder: PretrainedEncoder, batch: WaveBatch) -> torch.Tensor:
    """Last hidden states of one clip, in float64 on the CPU, shape `(frames, dim)`."""
    device = next(encoder.parameters()).device
    with torch.no_grad():
        last: torch.Tensor = encoder.eval()(batch.waveforms.to(device), batch.lengths.to(device)).last
    return last[0].cpu().double()
