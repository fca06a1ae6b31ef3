"""Pre-trains an encoder from unlabelled audio, round after round."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from mergekit_speech.encoders.family import family_of
from mergekit_speech.encoders.pretrained import PretrainedEncoder, load_encoder, new_encoder, save_encoder
from mergekit_speech.encoders.waveform_encoder import WaveformEncoder
from mergekit_speech.pretraining import contrastive, masked_prediction
from mergekit_speech.pretraining.codes import cluster, hidden_features, spectral_features
from mergekit_speech.pretraining.contrastive import ContrastiveBatches, ContrastivePrediction
from mergekit_speech.pretraining.masked_prediction import MaskedBatches, MaskedPrediction
from mergekit_speech.pretraining.settings import EncoderShape, PretrainSettings
from mergekit_speech.shards.folder import whole_folder
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.checkpoints import DiskCheckpoints
from mergekit_speech.training.events import Observer
from mergekit_speech.training.feed import Collate, Feed
from mergekit_speech.training.learner import Learner
from mergekit_speech.training.loop import Evaluate, Loop, Outcome
from mergekit_speech.training.recording import JsonLines, TensorBoard
from mergekit_speech.training.run_folder import RunFolder
from mergekit_speech.training.settings import Goal
from mergekit_speech.training.versions import versions

GOAL = Goal("loss", lower_is_better=True)
VALIDATION_SHARE = 0.03


@dataclass(frozen=True)
class PretrainReport:
    """What a pre-training run made.

    Attributes:
        encoder: The encoder's directory.
        rounds: The best validation of each round: `loss` and `accuracy` over masked frames, `step`.
    """

    encoder: Path
    rounds: Sequence[dict[str, float]]


@dataclass(frozen=True)
class _Job:
    settings: PretrainSettings
    audio: AudioStore
    train: Sequence[Clip]
    valid: Sequence[Clip]
    folder: RunFolder
    observers: Sequence[Observer]
    resume: bool


def pretrain(
    clips: Sequence[Clip],
    output: Path,
    settings: PretrainSettings,
    *,
    observers: Sequence[Observer] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> PretrainReport:
    """Pre-trains an encoder on unlabelled clips and writes a run folder.

    Source: HuBERT (arXiv 2106.07447), for HuBERT and WavLM: k-means over MFCCs gives the codes of the first round,
        k-means over the encoder's own features those of the next; WavLM's mixing of utterances (arXiv 2110.13900,
        section III-B) is left out. wav2vec 2.0 (arXiv 2006.11477) for wav2vec 2.0.

    Args:
        clips: What to hear; 3 % of them, drawn from the seed, only validate.
        output: The run folder; `output/encoder` loads with `AutoModel.from_pretrained`.
        settings: How.
        observers: Told of every step, beside the files of the run.
        resume: Continue the run in `output`.
        overwrite: Replace the run in `output`.

    Raises:
        OutputError: `output` is taken, another process writes it, or the disk is full.
        DataError: A clip cannot be used, or the loss is not finite.
        Interrupted: Ctrl-C; `resume` continues.
    """
    folder = RunFolder(output)
    record = {"kind": "pretrain", "settings": asdict(settings), "clips": len(clips), "versions": versions()}
    with folder.held():
        folder.open(record, resume=resume, overwrite=overwrite)
        valid, train = _split(clips, settings.seed)
        results = _train(_Job(settings, AudioStore(2 << 30), train, valid, folder, observers, resume))
        folder.finish({"rounds": results, "hours": sum(clip.duration for clip in clips) / 3600})
    return PretrainReport(folder.encoder, results)


def fresh_encoder(shape: EncoderShape, seed: int) -> PretrainedEncoder:
    """Builds an encoder of the shape with random weights."""
    family = family_of(shape.family, "the shape")
    return new_encoder(shape.config(), family, normalize=shape.norm == "layer", seed=seed)


def _train(job: _Job) -> list[dict[str, float]]:
    results: list[dict[str, float]] = []
    encoder: PretrainedEncoder | None = None
    for number in range(len(job.settings.rounds)):
        encoder, outcome = _round(job, number, encoder)
        results.append({"step": outcome.best_step, **outcome.best})
    with whole_folder(job.folder.encoder, overwrite=True) as partial:
        shutil.copytree(_encoder_folder(job.folder, len(results) - 1), partial, dirs_exist_ok=True)
    return results


def _split(clips: Sequence[Clip], seed: int) -> tuple[list[Clip], list[Clip]]:
    order = np.random.default_rng(seed).permutation(len(clips))
    count = max(1, round(VALIDATION_SHARE * len(clips)))
    return [clips[index] for index in order[:count]], [clips[index] for index in sorted(order[count:])]


def _round(job: _Job, number: int, before: PretrainedEncoder | None) -> tuple[PretrainedEncoder, Outcome]:
    settings = job.settings.loop(number)
    if before is None or job.settings.restart:
        encoder = fresh_encoder(job.settings.shape, settings.seed)
    else:
        encoder = load_encoder(_encoder_folder(job.folder, number - 1))
    torch.manual_seed(settings.seed)
    _set_dropout(encoder, job.settings.dropout)
    learner, batches, validate = _objective(job, number, encoder, before)
    limits = BatchLimits(seconds=job.settings.batch_seconds)
    place = _round_folder(job.folder, number)
    place.mkdir(parents=True, exist_ok=True)
    loop = Loop(
        learner,
        Feed(ClipStream(job.train, limits, settings.seed), batches),
        settings,
        validate,
        GOAL,
        DiskCheckpoints(place / "checkpoints"),
        [JsonLines(place / "metrics.jsonl"), TensorBoard(place / "tensorboard"), *job.observers],
    )
    outcome = loop.run(resume=job.resume)
    _keep(encoder, _encoder_folder(job.folder, number))
    return encoder, outcome


def _objective(
    job: _Job, number: int, encoder: PretrainedEncoder, before: PretrainedEncoder | None
) -> tuple[Learner, Collate, Evaluate]:
    settings, seed = job.settings, job.settings.loop(number).seed
    turn = settings.rounds[number]
    if turn.clusters is None:
        heard = cast(WaveformEncoder, encoder)
        chooser = ContrastivePrediction(heard, turn.steps)
        pairs = ContrastiveBatches(heard, job.audio, seed, settings.masking)
        held_out = [pairs([clip], index) for index, clip in enumerate(job.valid)]
        return chooser, pairs, lambda: contrastive.validate(chooser, held_out)
    extract = spectral_features if before is None or turn.layer is None else hidden_features(before.eval(), turn.layer)
    codes = cluster([*job.train, *job.valid], job.audio, extract, turn.clusters, seed)
    learner = MaskedPrediction(encoder, turn.clusters, unmasked_weight=settings.unmasked_weight)
    batches = MaskedBatches(encoder, job.audio, codes, seed, settings.masking)
    fixed = [batches([clip], index) for index, clip in enumerate(job.valid)]
    return learner, batches, lambda: masked_prediction.validate(learner, fixed)


def _set_dropout(encoder: PretrainedEncoder, dropout: float) -> None:
    # The configuration keeps HuBERT's own, which fine-tuning then uses.
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout


def _keep(encoder: PretrainedEncoder, folder: Path) -> None:
    with whole_folder(folder, overwrite=True) as partial:
        save_encoder(encoder, partial)


def _round_folder(folder: RunFolder, number: int) -> Path:
    return folder.path / f"round-{number + 1}"


def _encoder_folder(folder: RunFolder, number: int) -> Path:
    return _round_folder(folder, number) / "encoder"
