"""The multitask scenario: several tasks at once, a head each on one encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.evaluation import answer
from mergekit_speech.finetuning.learner import TaskBatch, TaskBatches, run_head
from mergekit_speech.finetuning.lesson import Lesson
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.finetuning.supervised import choose_fold, describe_data, save_head
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import START, Position, WaveBatch
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import refuse_absent
from mergekit_speech.tasks.parts.drawing import draw
from mergekit_speech.tasks.parts.examination import Answerer, Examination
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.feed import Feed, Stream
from mergekit_speech.training.settings import Goal

GOAL = Goal("score", lower_is_better=False)
"""Mean over tasks of the first metric, as a share of what is right: 1 minus an error rate."""


@dataclass(frozen=True)
class Mixture:
    """How tasks share a run.

    Attributes:
        weights: Factor of each task's loss, by name; 1 for those that are not named.
        temperature: A batch is of a task with a probability in proportion to its training clips to the power of
            1 / temperature: 1 takes all clips alike, large numbers all tasks alike.
    """

    weights: Mapping[str, float]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            SettingsError: A weight or the temperature is not above 0.
        """
        for name, value in {"temperature": self.temperature, **self.weights}.items():
            if not value > 0:
                raise SettingsError(f"the weight of a task and the temperature must be above 0, got {value!r} ({name})")


@dataclass(frozen=True)
class JointBatch:
    """A batch of one of the tasks.

    Attributes:
        task: Its name.
        batch: As that task alone has it.
    """

    task: str
    batch: TaskBatch

    @property
    def samples(self) -> int:
        """Width with padding, in samples."""
        return self.batch.samples

    def widened(self, samples: int) -> JointBatch:
        """The batch with rows of at least `samples`."""
        return JointBatch(self.task, self.batch.widened(samples))


class JointFineTuning(StableLearner):
    """Several task heads on the encoder's last hidden state; a batch is of one task."""

    def __init__(
        self,
        encoder: PretrainedEncoder,
        tasks: Mapping[str, tuple[Task, Labels]],
        settings: FinetuneSettings,
        weights: Mapping[str, float],
    ) -> None:
        """Builds the heads.

        Args:
            encoder: What is fine-tuned; owned from here on.
            tasks: Definition and labels of each, by name.
            settings: How.
            weights: Factor of each task's loss, by name.

        Raises:
            SettingsError: The method does not suit the encoder.
        """
        heads = {name: task.tuning_head(encoder.dim, len(labels)) for name, (task, labels) in tasks.items()}
        super().__init__(encoder, nn.ModuleDict(heads), settings.thaw, settings.method)
        self._tasks = {name: task for name, (task, _) in tasks.items()}
        self._weights = weights

    def objective(self, batch: JointBatch) -> torch.Tensor:
        """See `StableLearner.objective`."""
        task, head = self._tasks[batch.task], self.head.get_submodule(batch.task)
        output, lengths = run_head(self, head, batch.batch.audio, masked=task.masked)
        loss = task.loss(output, lengths, batch.batch.targets)
        return self._weights.get(batch.task, 1.0) * loss

    def items(self, batch: JointBatch, clips: Sequence[Clip]) -> int:
        """See `Learner.items`."""
        frames = self.encoder.frames(batch.batch.audio.lengths)
        return self._tasks[batch.task].items(frames, batch.batch.targets)

    def predict(self, task: str, audio: WaveBatch) -> tuple[Any, torch.Tensor]:
        """Runs the encoder and a task's head; see `StableFineTuning.predict`."""
        return run_head(self, self.head.get_submodule(task), audio)


class MixedStream:
    """Batches of several streams, in an order that depends on the seed alone."""

    def __init__(self, streams: Mapping[str, Stream], shares: Mapping[str, float], seed: int) -> None:
        """Prepares the stream.

        Args:
            streams: By name.
            shares: Probability of each, up to a common factor.
            seed: Decides whose turn it is.
        """
        self._streams, self._seed = streams, seed
        self._names = list(streams)
        total = sum(shares[name] for name in self._names)
        self._edges = np.cumsum([shares[name] / total for name in self._names])

    def turn(self, number: int) -> str:
        """Whose batch number `number` of the run is, counted from 0."""
        drawn = np.random.default_rng((self._seed, number)).random()
        return self._names[min(int(np.searchsorted(self._edges, drawn, side="right")), len(self._names) - 1)]

    def batches(self, start: Position = START) -> Iterator[tuple[Position, list[Clip]]]:
        """Yields batches for ever, each with the position that comes after it; a position counts batches alone."""
        order = {name: stream.batches() for name, stream in self._streams.items()}
        number = 0
        while True:
            _, clips = next(order[self.turn(number)])
            number += 1
            if number > start.batch:
                yield Position(0, number), clips


def joint_lesson(
    encoder: PretrainedEncoder,
    tasks: Sequence[Task],
    mixture: Mixture,
    data: Path,
    settings: FinetuneSettings,
    fold: int | None = None,
) -> Lesson:
    """Prepares fine-tuning on several tasks at once.

    Args:
        encoder: What is fine-tuned; owned from here on.
        tasks: What on; at least two, each once.
        mixture: How they share the run.
        data: Folder that holds their manifests.
        settings: How.
        fold: Number of the fold to leave out and test, of tasks that have several; None leaves out the first.

    Raises:
        DataError: A task's data cannot be used.
        SettingsError: A weight is for another task, or the method does not suit the encoder.
    """
    for name in mixture.weights:
        if name not in {task.name for task in tasks}:
            raise SettingsError(
                f"expected weights for {', '.join(task.name for task in tasks)}, got one for {name!r}: correct it"
            )
    splits = {task.name: choose_fold(task, data, fold if len(task.folds(data)) > 1 else None) for task in tasks}
    labels = {task.name: task.labels(splits[task.name].train) for task in tasks}
    refuse_absent([clip for split in splits.values() for clip in split.clips])
    audio, known = AudioStore(), {task.name: task for task in tasks}
    learner = JointFineTuning(
        encoder, {name: (task, labels[name]) for name, task in known.items()}, settings, mixture.weights
    )
    streams = {
        name: draw(task, splits[name].train, labels[name], settings.limits, settings.seed)
        for name, task in known.items()
    }
    shares = {name: len(split.train) ** (1 / mixture.temperature) for name, split in splits.items()}
    stream = MixedStream(streams, shares, settings.seed)
    batches = {name: TaskBatches(task, labels[name], audio, settings.seed) for name, task in known.items()}
    examinations = {
        name: Examination(task, splits[name], _answerer(learner, task, labels[name], audio))
        for name, task in known.items()
    }
    return Lesson(
        learner=learner,
        feed=Feed(
            stream,
            lambda clips, number: JointBatch(turn := stream.turn(number), batches[turn](clips, number)),
            settings.workers,
        ),
        goal=GOAL,
        valid=[clip for split in splits.values() for clip in split.valid],
        validate=lambda: _summarize(known, {name: each.validate() for name, each in examinations.items()}),
        test=lambda: _summarize(
            known, {name: known[name].figures(each.conclude()[1]) for name, each in examinations.items()}
        ),
        save_head=lambda folder: _save_heads(learner, labels, folder),
        facts={
            "task": [task.name for task in tasks],
            "mixture": {"weights": dict(mixture.weights), "temperature": mixture.temperature},
            "data": describe_data(data, [task.manifest(data) for task in tasks]),
        },
    )


def _answerer(learner: JointFineTuning, task: Task, labels: Labels, audio: AudioStore) -> Answerer:
    return lambda clips: answer(learner, lambda batch: learner.predict(task.name, batch), task, labels, clips, audio)


def _summarize(tasks: Mapping[str, Task], figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    shares = []
    for name, task in tasks.items():
        value = figures[name][task.metrics[0].name]
        shares.append(1 - value if task.metrics[0].lower_is_better else value)
    named = {f"{name}.{metric}": value for name, each in figures.items() for metric, value in each.items()}
    return {GOAL.metric: float(np.mean(shares)), **named}


def _save_heads(learner: JointFineTuning, labels: Mapping[str, Labels], folder: Path) -> None:
    for name, each in labels.items():
        (folder / name).mkdir()
        save_head(learner.head.get_submodule(name), each, folder / name)
