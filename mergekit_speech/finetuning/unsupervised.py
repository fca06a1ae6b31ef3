"""The unsupervised scenario: continued pre-training by masked prediction of the base's own codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mergekit_speech.encoders.codebook import Codebook, read_codebook
from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.finetuning.lesson import Lesson
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.finetuning.supervised import describe_data
from mergekit_speech.pretraining.codes import Codes, cluster, hidden_features, label
from mergekit_speech.pretraining.masked_prediction import TEMPERATURE
from mergekit_speech.pretraining.masking import HUBERT, Masking, mask_spans
from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import ClipStream, chance, pad, widen
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import read_manifest, refuse_absent
from mergekit_speech.tasks.parts.task import Budget
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.ranks import gathered, share
from mergekit_speech.training.settings import Goal

Targets = Literal["codebook", "kmeans"]
BUDGET = Budget(steps=100_000, learning_rate=1e-5, clips=32, accumulate=1, evaluate_every=4000)
"""Source: Speech-FT (arXiv 2502.12672), continued pre-training on AISHELL-3."""
GOAL = Goal("loss", lower_is_better=True)
VALIDATION_SHARE = 0.03
CLUSTERS = 100


@dataclass(frozen=True)
class Unlabelled:
    """What is heard, and which codes are predicted.

    Attributes:
        folders: Folders of the data whose manifests list the clips; `train` clips are learnt from, `valid` ones pick
            the checkpoint, `test` ones give the reported loss. Without `valid` clips 3 % of the others stand in.
        targets: "codebook": the codes that the frozen base names by its own pre-training head. "kmeans": clusters of
            one of its layers. None takes the former where the checkpoint holds a codebook, else the latter.
        clusters: Of k-means.
        layer: Whose features k-means clusters; None for two thirds of the way up.
        masking: How much is hidden.
    """

    folders: tuple[str, ...]
    targets: Targets | None = None
    clusters: int = CLUSTERS
    layer: int | None = None
    masking: Masking = HUBERT

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            SettingsError: There is no folder, the targets are unknown, or there are fewer than two clusters.
        """
        if not self.folders:
            raise SettingsError("expected a folder of unlabelled clips, got none: name one below the data folder")
        if self.targets is not None and self.targets not in get_args(Targets):
            raise SettingsError(f"targets are one of {', '.join(get_args(Targets))}, got {self.targets!r}")
        if self.clusters < 2:
            raise SettingsError(f"k-means needs at least 2 clusters, got {self.clusters!r}")


@dataclass(frozen=True)
class CodeBatch:
    """Whole clips with the codes of their frames.

    Attributes:
        waveforms: float32, zero-padded, shape `(batch, samples)`.
        lengths: int64, samples of each row, shape `(batch,)`.
        codes: int64, shape `(batch, frames)`; zeros behind the end of a row.
        masked: bool, shape `(batch, frames)`; False behind the end of a row.
    """

    waveforms: torch.Tensor
    lengths: torch.Tensor
    codes: torch.Tensor
    masked: torch.Tensor

    @property
    def samples(self) -> int:
        """Width with padding, in samples."""
        return self.waveforms.shape[1]


class CodeHead(nn.Module):
    """Names codes by their cosine with a learnt projection, over HuBERT's temperature; the codes stay as they are."""

    def __init__(self, book: Codebook) -> None:
        """Starts as the base's own head."""
        super().__init__()
        self.final_proj = nn.Linear(book.weight.shape[1], book.weight.shape[0])
        with torch.no_grad():
            self.final_proj.weight.copy_(book.weight)
            self.final_proj.bias.copy_(book.bias)
        self.register_buffer("label_embs_concat", book.codes.clone())

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps `(…, dim)` to logits `(…, codes)`."""
        codes = functional.normalize(self.get_buffer("label_embs_concat"), dim=-1)
        return functional.normalize(self.final_proj(hidden), dim=-1) @ codes.T / TEMPERATURE


class ContinuedPretraining(StableLearner):
    """An encoder that names the codes of frames that it cannot see.

    Source: Speech-FT (arXiv 2502.12672), unsupervised fine-tuning: cross-entropy over the masked frames only, no
        learnable codebook.
    """

    def objective(self, batch: CodeBatch) -> torch.Tensor:
        """See `StableLearner.objective`."""
        return functional.cross_entropy(*self.predict(batch))

    def items(self, batch: CodeBatch, clips: Sequence[Clip]) -> int:
        """See `Learner.items`: frames that are hidden."""
        return int(batch.masked.sum())

    def widened(self, batch: CodeBatch, samples: int) -> CodeBatch:
        """See `Learner.widened`."""
        if samples <= batch.samples:
            return batch
        frames = int(self.encoder.frames(torch.tensor(samples)))
        wide = widen(batch.waveforms, samples), batch.lengths, widen(batch.codes, frames), widen(batch.masked, frames)
        return CodeBatch(*wide)

    def predict(self, batch: CodeBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `(masked, codes)` and codes `(masked,)` of all masked frames of a batch."""
        masked = batch.masked.to(self.device)
        output = self.encoder(batch.waveforms.to(self.device), batch.lengths.to(self.device), masked)
        return self.head(output.last[masked]).float(), batch.codes.to(self.device)[masked]


class CodeBatches:
    """Reads whole clips, with the codes of their frames, and draws what is hidden."""

    def __init__(
        self, encoder: PretrainedEncoder, audio: AudioStore, codes: Codes, seed: int, masking: Masking
    ) -> None:
        """Keeps what it takes to make batches; `seed` decides the masks."""
        self._frames, self._audio, self._codes = encoder.frames, audio, codes
        self._seed, self._masking = seed, masking

    def __call__(self, clips: Sequence[Clip], number: int) -> CodeBatch:
        """Makes batch `number` of the run."""
        batch = pad(clips, [self._audio.read(clip) for clip in clips])
        counts = self._frames(batch.lengths).tolist()
        codes = np.zeros((len(clips), max(counts)), np.int64)
        masked = np.zeros(codes.shape, np.bool_)
        for row, (clip, count) in enumerate(zip(clips, counts, strict=True)):
            codes[row, :count] = self._codes[clip.path][:count]
            masked[row, :count] = mask_spans(1, count, chance(self._seed, number, clip), self._masking)[0]
        return CodeBatch(batch.waveforms, batch.lengths, torch.from_numpy(codes), torch.from_numpy(masked))


def unlabelled_lesson(
    encoder: PretrainedEncoder, base: Path, unlabelled: Unlabelled, data: Path, settings: FinetuneSettings
) -> Lesson:
    """Prepares continued pre-training.

    Args:
        encoder: What is fine-tuned; owned from here on.
        base: Where it came from, and where its codebook may be.
        unlabelled: What is heard, and which codes are predicted.
        data: The data folder.
        settings: How.

    Raises:
        DataError: A manifest cannot be used, or nothing is left to learn from.
        SettingsError: The targets are not to be had, or the family takes no masks.
    """
    _refuse_unmaskable(encoder)
    train, valid, test = _split(unlabelled, data, settings.seed)
    audio, everything = AudioStore(), [*train, *valid, *test]
    refuse_absent(everything)
    book = _find_codebook(base, unlabelled)
    codes, head = _label(encoder, book, unlabelled, everything, audio, settings.seed)
    learner = ContinuedPretraining(encoder, head, settings.thaw, settings.method)
    batches = CodeBatches(encoder, audio, codes, settings.seed, unlabelled.masking)
    return Lesson(
        learner=learner,
        feed=Feed(ClipStream(train, settings.limits, settings.seed), batches, settings.workers),
        goal=GOAL,
        valid=valid,
        validate=lambda: _measure(learner, batches, valid),
        test=lambda: _measure(learner, batches, test) if test else {},
        save_head=lambda folder: _save_head(learner.head, folder),
        facts={
            "task": "unlabelled",
            "targets": "kmeans" if book is None else "codebook",
            "unlabelled": [*unlabelled.folders],
            "data": describe_data(data, [data / folder / "manifest.jsonl" for folder in unlabelled.folders]),
        },
    )


def _refuse_unmaskable(encoder: PretrainedEncoder) -> None:
    if encoder.model.config.model_type not in ("hubert", "wav2vec2", "wavlm", "unispeech-sat", "data2vec-audio"):
        raise SettingsError(
            f"{encoder.family.title} hides no frames of its input, so masked prediction cannot continue its"
            " pre-training: use an encoder of waveforms, or a task"
        )


def _split(unlabelled: Unlabelled, data: Path, seed: int) -> tuple[list[Clip], list[Clip], list[Clip]]:
    clips: dict[Recording, Clip] = {}
    for folder in unlabelled.folders:
        for clip in read_manifest(data, folder):
            clips.setdefault(clip.path, clip)
    splits = {name: [clip for clip in clips.values() if clip.split == name] for name in ("train", "valid", "test")}
    train, valid = splits["train"], splits["valid"]
    if not valid and len(train) > 1:
        order = np.random.default_rng(seed).permutation(len(train))
        held = set(order[: max(1, round(VALIDATION_SHARE * len(train)))].tolist())
        valid = [clip for number, clip in enumerate(train) if number in held]
        train = [clip for number, clip in enumerate(train) if number not in held]
    if not train or not valid:
        raise DataError(
            f"expected clips to learn from and others to validate with in {', '.join(unlabelled.folders)} of {data},"
            f" came {len(train)} and {len(valid)}: their split must be train and valid"
        )
    return train, valid, splits["test"]


def _find_codebook(base: Path, unlabelled: Unlabelled) -> Codebook | None:
    if unlabelled.targets == "kmeans":
        return None
    book = read_codebook(base)
    if book is None and unlabelled.targets == "codebook":
        raise SettingsError(
            f"expected final_proj and label_embs_concat in {base} for targets 'codebook', came none: give the file that"
            " s3prl or fairseq pre-trained or converted, or choose targets 'kmeans'"
        )
    return book


def _label(
    encoder: PretrainedEncoder,
    book: Codebook | None,
    unlabelled: Unlabelled,
    clips: Sequence[Clip],
    audio: AudioStore,
    seed: int,
) -> tuple[Codes, nn.Module]:
    """Targets of every clip by the frozen base, without masks and dropout, and the head that learns them."""
    encoder.eval()
    try:
        if book is not None:
            head = CodeHead(book)
            last = hidden_features(encoder, encoder.depth - 1)
            return label(clips, audio, lambda batch: head(last(batch)).argmax(dim=-1)), head
        layer = round((encoder.depth - 1) * 2 / 3) if unlabelled.layer is None else unlabelled.layer
        if not 0 <= layer < encoder.depth:
            raise SettingsError(f"the layer to cluster must be between 0 and {encoder.depth - 1}, got {layer!r}")
        codes = cluster(clips, audio, hidden_features(encoder, layer), unlabelled.clusters, seed)
        return codes, nn.Linear(encoder.dim, unlabelled.clusters)
    finally:
        encoder.train()


def _measure(learner: ContinuedPretraining, batches: CodeBatches, clips: Sequence[Clip]) -> Mapping[str, float]:
    found: list[tuple[float, int, int]] = []
    with torch.no_grad(), learner.judged():
        for number, clip in share(list(enumerate(clips))):
            logits, codes = learner.predict(batches([clip], number))
            loss = float(functional.cross_entropy(logits, codes, reduction="sum"))
            found.append((loss, int((logits.argmax(dim=-1) == codes).sum()), len(codes)))
    losses, correct, counts = zip(*gathered(found), strict=True)
    return {"loss": math.fsum(losses) / sum(counts), "accuracy": sum(correct) / sum(counts)}


def _save_head(head: nn.Module, folder: Path) -> None:
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    save_file(tensors, folder / "head.safetensors")
