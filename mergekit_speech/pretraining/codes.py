"""Targets of masked prediction: one k-means code for each frame of the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.encoders.spectra import mfcc_with_deltas
from mergekit_speech.errors import SettingsError
from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip

Features = npt.NDArray[np.float32]
Codes = Mapping[Recording, npt.NDArray[np.int64]]
"""For each clip's path: the code of each frame, shape `(frames,)`."""
Extract = Callable[[WaveBatch], torch.Tensor]
"""Gives frame features of a batch of one clip, shape `(1, frames, dim)`, one frame for each of the encoder's."""


def spectral_features(batch: WaveBatch) -> torch.Tensor:
    """MFCCs with derivatives, every second frame: one for each 20 ms of the encoder."""
    # The window of frame 2t + 1 is centred nearest to the receptive field of the encoder's frame t.
    return mfcc_with_deltas(batch.waveforms)[:, 1::2]


def hidden_features(encoder: PretrainedEncoder, layer: int) -> Extract:
    """Features of one layer of an encoder; layer 0 is the input of the first."""
    device = next(encoder.parameters()).device

    def extract(batch: WaveBatch) -> torch.Tensor:
        state: torch.Tensor = encoder(batch.waveforms.to(device), batch.lengths.to(device)).states[layer]
        return state

    return extract


def cluster(
    clips: Sequence[Clip], audio: AudioStore, extract: Extract, clusters: int, seed: int, most_frames: int = 400_000
) -> Codes:
    """Fits k-means on the clips' frames and gives each frame its code.

    Args:
        clips: What to label.
        audio: Reads them.
        extract: Features to cluster.
        clusters: Number of codes.
        seed: Decides the frames to fit on and the first centres.
        most_frames: Frames to fit on at most; a random choice of them where there are more.

    Raises:
        SettingsError: There are fewer frames than codes.

    Source: fairseq's `learn_kmeans.py` as HuBERT describes it (arXiv 2106.07447, section III-A): mini-batch
        k-means, k-means++ start, batches of 10,000 frames.
    """
    from sklearn.cluster import MiniBatchKMeans

    features = {clip.path: _features(clip, audio, extract) for clip in clips}
    frames = np.concatenate(list(features.values()))
    if len(frames) < clusters:
        raise SettingsError(f"{clusters} clusters need as many frames, the clips have {len(frames)}: ask for fewer")
    rng = np.random.default_rng(seed)
    if len(frames) > most_frames:
        frames = frames[rng.choice(len(frames), most_frames, replace=False)]
    model: Any = MiniBatchKMeans(
        clusters, batch_size=10_000, max_iter=100, n_init=5, max_no_improvement=100, random_state=seed
    )
    model.fit(frames)
    return {path: model.predict(values).astype(np.int64) for path, values in features.items()}


def label(clips: Sequence[Clip], audio: AudioStore, name: Extract) -> Codes:
    """Gives each frame the code that a function names.

    Args:
        clips: What to label.
        audio: Reads them.
        name: Gives the codes of a batch of one clip, integers of shape `(1, frames)`.
    """
    return {clip.path: _features(clip, audio, name).astype(np.int64) for clip in clips}


def _features(clip: Clip, audio: AudioStore, extract: Extract) -> Features:
    with torch.inference_mode():
        features: Features = extract(pad([clip], [audio.read(clip)]))[0].float().cpu().numpy()
    return features
