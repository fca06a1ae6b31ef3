"""Frame features of several encoders that hear the same clips, compared with those of the first, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mergekit_speech.analysis.connectivity import ConnectivitySums, LayerConnectivity
from mergekit_speech.analysis.products import Array
from mergekit_speech.analysis.similarity import Half, LayerSimilarity, SimilaritySums
from mergekit_speech.analysis.utterances import Utterances
from mergekit_speech.errors import PairingError
from mergekit_speech.speech.clip import Clip

TOGETHER = 16
"""Clips of one batch; their features are all that is held beside the sums."""


@dataclass(frozen=True)
class Listener:
    """An encoder that hears clips.

    Attributes:
        label: Its name.
        depth: Number of hidden states.
        dim: Dimensions of a hidden state.
        stride: Samples between two frames.
        hear: Gives the hidden states of each clip, finite, shape `(depth, frames, dim)`.
    """

    label: str
    depth: int
    dim: int
    stride: int
    hear: Callable[[Sequence[Clip]], Sequence[Array]]


@dataclass(frozen=True)
class Mixture:
    """A merged encoder that may do what base and tuned encoder do, mixed.

    Attributes:
        merged: Its label.
        tuned: Label of the tuned encoder.
        alpha: Share of the tuned encoder.
    """

    merged: str
    tuned: str
    alpha: float


@dataclass(frozen=True)
class FeatureComparison:
    """What clips told about encoders.

    Attributes:
        clips: Number of clips.
        frames: Frames of the base.
        fitted: Those of them that maps were fitted on.
        similarity: Layers by label of each other encoder; as many as both it and the base have.
        connectivity: Layers by label of each merged encoder.
    """

    clips: int
    frames: int
    fitted: int
    similarity: Mapping[str, tuple[LayerSimilarity, ...]]
    connectivity: Mapping[str, tuple[LayerConnectivity, ...]]


def compare_features(
    base: Listener,
    others: Sequence[Listener],
    utterances: Utterances,
    mixtures: Sequence[Mixture] = (),
    heard: Callable[[int], object] = lambda _: None,
) -> FeatureComparison:
    """Lets all encoders hear the clips, and compares what they make of them.

    Layer i is compared with layer i, as far as both encoders have one. Memory holds, for each other encoder and layer,
    six matrices of float64 with a side of `dim`, however long the clips are.

    Args:
        base: What the others are compared with.
        others: The others.
        utterances: What to hear.
        mixtures: Merged encoders to check for linear connectivity; both labels among `others`.
        heard: Told the number of clips after each batch.

    Raises:
        PairingError: A mixture is of encoders of different shapes.
        DataError: A clip cannot be read or encoded.
        CheckpointError: An encoder gives values that are not finite.
    """
    sums = _Sums(base, others, mixtures)
    halves: tuple[tuple[Half, Sequence[Clip]], ...] = ((0, utterances.fitted), (1, utterances.scored))
    for half, clips in halves:
        for start in range(0, len(clips), TOGETHER):
            batch = clips[start : start + TOGETHER]
            sums.add_batch(batch, half)
            heard(len(batch))
    return FeatureComparison(
        clips=len(utterances.fitted) + len(utterances.scored),
        frames=sum(sums.frames),
        fitted=sums.frames[0],
        similarity={
            label: tuple(each.figures(layer) for layer, each in enumerate(layers))
            for label, layers in sums.similarity.items()
        },
        connectivity={
            label: tuple(each.figures(layer) for layer, each in enumerate(layers))
            for label, layers in sums.connectivity.items()
        },
    )


def align(base: Array, other: Array, base_stride: int, other_stride: int) -> tuple[Array, Array]:
    """Pairs each frame of the base with the frame of the other encoder that is nearest to its middle.

    Args:
        base: Shape `(depth, frames, dim)`.
        other: Shape `(depth, frames, dim)`, all three its own.
        base_stride: Samples between two frames of the base.
        other_stride: The same of the other encoder.

    Returns:
        Both with as many frames; frames of the base behind the other's last one are left out.
    """
    places = ((np.arange(base.shape[1]) + 0.5) * base_stride / other_stride).astype(np.int64)
    kept = places < other.shape[1]
    return base[:, kept], other[:, places[kept]]


@dataclass
class _Sums:
    base: Listener
    others: Sequence[Listener]
    mixtures: Sequence[Mixture]
    frames: list[int] = field(default_factory=lambda: [0, 0])
    similarity: dict[str, list[SimilaritySums]] = field(init=False)
    connectivity: dict[str, list[ConnectivitySums]] = field(init=False)

    def __post_init__(self) -> None:
        base = self.base
        self.similarity = {
            each.label: [SimilaritySums(base.dim, each.dim) for _ in range(min(base.depth, each.depth))]
            for each in self.others
        }
        listeners = {each.label: each for each in self.others}
        for mixture in self.mixtures:
            _check_shapes(base, listeners[mixture.tuned], listeners[mixture.merged])
        self.connectivity = {
            mixture.merged: [ConnectivitySums(base.dim, mixture.alpha) for _ in range(base.depth)]
            for mixture in self.mixtures
        }

    def add_batch(self, clips: Sequence[Clip], half: Half) -> None:
        of_base = self.base.hear(clips)
        of_others = {each.label: each.hear(clips) for each in self.others}
        for place, states in enumerate(of_base):
            self.frames[half] += states.shape[1]
            self._add_clip(states, {label: heard[place] for label, heard in of_others.items()}, half)

    def _add_clip(self, base: Array, others: Mapping[str, Array], half: Half) -> None:
        for listener in self.others:
            mine, theirs = align(base, others[listener.label], self.base.stride, listener.stride)
            for sums, one, other in zip(self.similarity[listener.label], mine, theirs, strict=False):
                sums.add(one, other, half)
        for mixture in self.mixtures:
            tuned, merged = others[mixture.tuned], others[mixture.merged]
            for layer, each in enumerate(self.connectivity[mixture.merged]):
                each.add(base[layer], tuned[layer], merged[layer])


def _check_shapes(base: Listener, *others: Listener) -> None:
    for each in others:
        if (each.depth, each.dim, each.stride) != (base.depth, base.dim, base.stride):
            raise PairingError(
                f"expected {each.label} with the {base.depth} states of {base.dim} dimensions of {base.label}, came"
                f" {each.depth} of {each.dim}: only encoders of one shape can be mixed"
            )
