"""ASV: speaker verification. Manifest field `speaker`; the test trials are in `trials.jsonl` beside the manifest.

A line of `trials.jsonl` is `{"enroll": id, "test": id, "label": 1 for one speaker, 0 for two}`. SUPERB has no
validation split and takes the best of its checkpoints on the test trials. Here checkpoints are chosen on all pairs of
validation clips: of the split `valid`, or, where there is none, of every eighth training speaker, who is then not
trained on; at most ten clips of each of forty speakers. Training clips of 2 s or less are left out, as in SUPERB.
Recordings are heard as they are, since hidden states are shared with other tasks: SUPERB makes them 3 dB softer and
cuts out silences below 0.1 % of full scale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.detection import detection_errors, drawn_detection_errors
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows
from mergekit_speech.tasks.parts.splits import Splits, refuse_empty, refuse_shared_speakers, split_by_name
from mergekit_speech.tasks.parts.task import Budget, Metric, Task
from mergekit_speech.tasks.parts.trials import Trial, pair_all, read_trials
from mergekit_speech.tasks.parts.xvector import Voices, XVector

MARGIN = 0.4
SCALE = 30.0
SHORTEST = 2.0
"""Seconds; training clips are longer."""
HELD_OUT = 8
"""Where there is no validation split, every training speaker of this many validates."""
VALID_SPEAKERS, VALID_CLIPS = 40, 10
TRIALS = "trials"
METRICS = (Metric("eer", "EER", lower_is_better=True), Metric("min_dcf", "minDCF", lower_is_better=True))


@dataclass(frozen=True, kw_only=True)
class VerificationTask(Task):
    """Tells whether two clips are of one speaker: additive-margin softmax in training, cosines of embeddings in trials.

    The answer to a clip is its embedding, float32, shape `(512,)`. Rows, one a trial: `score`, `target` and `group`,
    which is the speaker that the trial is about. A clip to enrol carries its trials in the field `trials`.

    Source: AM-softmax of Wang et al. (arXiv 1801.05599), numbers of s3prl's SuperbASV.
    """

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`: the training speakers."""
        return Labels.of(self.text_of(clip) for clip in train)

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: the speaker's index, int64, shape `(1,)`."""
        return [torch.tensor(labels.indices([self.text_of(clip)], clip)) for clip in clips]

    def loss(self, output: Voices, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`: the right speaker's cosine must lead by the margin."""
        cosines = output.cosines.float()
        target = torch.cat(list(targets)).to(cosines.device)
        margin = MARGIN * functional.one_hot(target, cosines.shape[1])
        return functional.cross_entropy(SCALE * (cosines - margin), target)

    def decode(self, output: Voices, lengths: torch.Tensor, labels: Labels) -> list[npt.NDArray[np.float32]]:
        """See `Task.decode`."""
        return list(output.embeddings.float().cpu().numpy())

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        pairs = [(clip, other, target) for clip in clips for other, target in clip.fields.get(TRIALS, ())]
        speakers = {name: place for place, name in enumerate(sorted({self.text_of(clip) for clip in clips}))}
        one = _unit([answers[clip.id] for clip, _, _ in pairs])
        other = _unit([answers[name] for _, name, _ in pairs])
        return {
            "score": (one * other).sum(axis=1),
            "target": np.array([target for _, _, target in pairs]),
            "group": np.array([speakers[self.text_of(clip)] for clip, _, _ in pairs]),
        }

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`."""
        return _named(detection_errors(rows["score"], rows["target"]))

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return _named(drawn_detection_errors(rows["score"], rows["target"], counts))

    def files(self, data: Path) -> Sequence[Path]:
        """See `Task.files`: the manifest and the trial list."""
        return [self.manifest(data), self._list(data)]

    def folds(self, data: Path) -> Sequence[Splits]:
        """See `Task.folds`: trials are read or made, and given to their clips.

        Raises:
            DataError: Also where the trial list and the manifest do not belong together, or training or validation
                clips are too few or too short.
        """
        splits = self._held_out(split_by_name(self.clips(data)), data)
        self.check(splits, data)
        train = [clip for clip in splits.train if clip.duration > SHORTEST]
        if not train:
            raise DataError(
                f"{self.manifest(data)}: task {self.name} trains on clips of more than {SHORTEST:g} s, came none among"
                f" {len(splits.train)} training clips: add longer ones"
            )
        trials = read_trials(self._list(data), splits.test, self.field)
        valid = self._paired(splits.valid, data)
        return [Splits(train, valid, _with_trials(splits.test, trials))]

    def check(self, splits: Splits, data: Path) -> None:
        """See `Task.check`; validation and test speakers need not occur in the training split."""
        refuse_empty(splits, self.name, self.manifest(data))
        refuse_shared_speakers(splits, self.name)
        self.labels(splits.clips)

    def _held_out(self, splits: Splits, data: Path) -> Splits:
        if splits.valid or not splits.train:
            return splits
        speakers = self.labels(splits.train).names
        if len(speakers) < 4:
            raise DataError(
                f"{self.manifest(data)}: no clip has split 'valid', and {len(speakers)} training speakers are too"
                f" few to hold some out: task {self.name} needs validation clips or four training speakers"
            )
        chosen = set(speakers[:: min(HELD_OUT, len(speakers) // 2)])
        parts: dict[bool, list[Clip]] = {True: [], False: []}
        for clip in splits.train:
            parts[self.text_of(clip) in chosen].append(clip)
        return replace(splits, train=parts[False], valid=parts[True])

    def _paired(self, clips: Sequence[Clip], data: Path) -> list[Clip]:
        own: dict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            own[self.text_of(clip)].append(clip)
        few = [clip for name in sorted(own)[:VALID_SPEAKERS] for clip in own[name][:VALID_CLIPS]]
        pairs = pair_all(few, self.field)
        if len({pair.target for pair in pairs}) < 2:
            raise DataError(
                f"{self.manifest(data)}: task {self.name} validates on pairs of clips of one speaker and of two, came"
                f" {len(few)} validation clips of {len(own)} speakers: add some to split 'valid'"
            )
        return _with_trials(few, pairs)

    def _list(self, data: Path) -> Path:
        return self.manifest(data).parent / "trials.jsonl"


def _with_trials(clips: Sequence[Clip], trials: Iterable[Trial]) -> list[Clip]:
    own: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for trial in trials:
        own[trial.enroll.id].append((trial.test.id, trial.target))
    return [replace(clip, fields={**clip.fields, TRIALS: own[clip.id]}) for clip in clips]


def _unit(embeddings: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    stacked = np.stack(embeddings)
    unit: npt.NDArray[np.float32] = stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
    return unit


def _named(errors: tuple[Any, Any]) -> dict[str, Any]:
    return dict(zip((metric.name for metric in METRICS), errors, strict=True))


TASK = VerificationTask(
    name="asv",
    title="speaker verification",
    field="speaker",
    metrics=METRICS,
    needs="splits train and test, perhaps valid; trials.jsonl beside the manifest",
    probe_head=XVector,
    tuning_head=XVector,
    probing=Budget(
        steps=200_000,
        learning_rate=1e-4,
        clips=10,
        accumulate=5,
        evaluate_every=10_000,
        clip_norm=1e3,
        weight_decay=0.01,
    ),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=10, accumulate=5, evaluate_every=2000, clip_norm=1e3),
    crop=8.0,
)
