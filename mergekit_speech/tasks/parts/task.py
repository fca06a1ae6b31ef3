"""The contract of a task: one definition that fine-tuning trains with the encoder and probing without it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import read_manifest
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, drawn_one_by_one
from mergekit_speech.tasks.parts.splits import Splits, refuse_empty, refuse_shared_speakers, split_by_name

HeadBuilder = Callable[[int, int], nn.Module]
"""Makes a head from the dimensions of a hidden state and the number of outputs."""
USUAL_NEEDS = "splits train, valid and test"


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Attributes:
        name: As results and reference sets of the SUPERB score spell it.
        title: As tables show it.
        lower_is_better: Its direction.
    """

    name: str
    title: str
    lower_is_better: bool


@dataclass(frozen=True)
class Budget:
    """How long and how to train a head, or a head with its encoder.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Adam's, at its peak.
        clips: Clips in a batch.
        accumulate: Batches in a step.
        evaluate_every: Steps between two validations.
        clip_norm: Largest gradient norm.
        weight_decay: Decoupled (AdamW's), per unit of learning rate.
    """

    steps: int
    learning_rate: float
    clips: int
    accumulate: int
    evaluate_every: int
    clip_norm: float = 1.0
    weight_decay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Task(abc.ABC):
    """A task: its data, head, loss and metrics.

    A head turns hidden states into output, `decode` output into answers, one a clip, `measure` answers into rows,
    one an item, and `figures` rows into metrics. Rows are all that resampling needs.

    Attributes:
        trains: Whether there is a head to train; a class says False where hidden states are the answers.
        name: As on the command line.
        title: In words.
        field: The manifest field that holds the answer.
        metrics: What is reported; the first one picks the best checkpoint.
        probe_head: The head that SUPERB trains on a frozen encoder.
        tuning_head: The head that fine-tuning trains with the encoder.
        probing: SUPERB's budget.
        tuning: Fine-tuning's budget.
        needs: What else its data must have, in words.
        folders: Folders whose manifest it reads: the first one that there is. None means one called as the task.
        apart: Whether a speaker of a test clip (field `speaker`) may not speak in training or validation clips.
        gain: What recordings are amplified by, decibels.
        crop: Longest stretch of a clip in training, seconds; cut out at a random place. None takes whole clips.
        balanced: Whether training draws clips so that each answer is as frequent as any other.
        masked: Whether heads learn from warped and masked hidden states (SpecAugment).
    """

    trains: ClassVar[bool] = True

    name: str
    title: str
    field: str
    metrics: tuple[Metric, ...]
    probe_head: HeadBuilder
    tuning_head: HeadBuilder
    probing: Budget
    tuning: Budget
    needs: str = USUAL_NEEDS
    folders: tuple[str, ...] = ()
    apart: bool = True
    gain: float = 0.0
    crop: float | None = None
    balanced: bool = False
    masked: bool = False

    @abc.abstractmethod
    def labels(self, train: Sequence[Clip]) -> Labels:
        """The outputs of a head, made from the training clips alone."""

    @abc.abstractmethod
    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """What `loss` is to learn of each clip: a tensor of any shape, with indices of labels where it names them.

        Raises:
            DataError: A clip's answer is malformed, or holds a symbol that `labels` does not have.
        """

    @abc.abstractmethod
    def loss(self, output: Any, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """Mean loss of a batch.

        Args:
            output: What the head gave.
            lengths: Frames of each row that hold audio, shape `(batch,)`.
            targets: See `targets`.
        """

    def items(self, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> int:
        """How many items `loss` is the mean over, so that parts of a batch can be weighted: by default clips.

        Args:
            lengths: Frames of each row that hold audio, shape `(batch,)`.
            targets: See `targets`.
        """
        return len(targets)

    @abc.abstractmethod
    def decode(self, output: Any, lengths: torch.Tensor, labels: Labels) -> Sequence[Any]:
        """The head's answer to each clip of a batch, of any type; arguments as in `loss`."""

    def decide(self, answers: Mapping[str, Any], clips: Sequence[Clip]) -> Any:
        """What is to be chosen on validation clips, such as a threshold; nothing by default.

        Args:
            answers: Of each validation clip, by its id.
            clips: The validation clips.
        """
        return None

    @abc.abstractmethod
    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """What there is to say of each item of a split, in the order of the clips.

        A column `group` names, by number, items that belong together: resampling takes or leaves them together.

        Args:
            answers: Of each clip, by its id.
            clips: The split.
            decision: What `decide` gave.
        """

    @abc.abstractmethod
    def figures(self, rows: Rows) -> Mapping[str, float]:
        """Every metric of the items, as fractions: a pure function, whatever the order of the items.

        A metric that the rows say nothing about is left out or NaN.
        """

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """The figures of many draws of the items; tasks that can do it at once are many times faster."""
        return drawn_one_by_one(self.figures, rows, counts)

    def manifest(self, data: Path) -> Path:
        """The manifest that the task reads: of the first of its folders that has one, else where one is expected."""
        paths = [data / folder / "manifest.jsonl" for folder in self.folders or (self.name,)]
        return next((path for path in paths if path.is_file()), paths[0])

    def files(self, data: Path) -> Sequence[Path]:
        """What is read beside the recordings; figures of different files are not comparable."""
        return [self.manifest(data)]

    def splits(self, data: Path) -> Splits:
        """Reads the splits of the first fold; else as `folds`."""
        return self.folds(data)[0]

    def folds(self, data: Path) -> Sequence[Splits]:
        """Reads the splits of each fold and checks them; most tasks have one.

        Raises:
            DataError: See `check`, or the manifest is absent or malformed, or a split is empty.
        """
        splits = split_by_name(self.clips(data))
        self.check(splits, data)
        return [splits]

    def clips(self, data: Path) -> list[Clip]:
        """Reads every clip of the manifest.

        Raises:
            DataError: The manifest is absent or malformed, or lacks the task's field.
        """
        clips = read_manifest(data, self.manifest(data).parent.name, [self.field])
        return [replace(clip, gain=self.gain) for clip in clips]

    def check(self, splits: Splits, data: Path) -> None:
        """Refuses splits that a task cannot be judged by.

        Raises:
            DataError: A split is empty, a speaker is on both sides, an answer is malformed, or holds a label that does
                not occur in the training split.
        """
        refuse_empty(splits, self.name, self.manifest(data))
        if self.apart:
            refuse_shared_speakers(splits, self.name)
        labels = self.labels(splits.train)
        self.targets([*splits.valid, *splits.test], labels)

    def field_of(self, clip: Clip) -> Any:
        """The manifest field that holds the answer, as it stands there."""
        return clip.fields[self.field]

    def text_of(self, clip: Clip) -> str:
        """The same, where it is the name of a label, a speaker or a word.

        Raises:
            DataError: It is no text, or an empty one.
        """
        value = self.field_of(clip)
        if not isinstance(value, str) or not value:
            raise DataError(f"{clip.source}: {self.field} must be a string, got {value!r:.60}")
        return value
