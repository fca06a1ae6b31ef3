"""What moves when, proved on every parameter of every family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.finetuning.learner import StableFineTuning, TaskBatches
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.finetuning.supervised import goal_of
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.batches import BatchLimits, ClipStream
from mergekit_speech.training.checkpoints import MemoryCheckpoints
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.loop import Loop

State = Mapping[str, torch.Tensor]
THAW, STEPS = 3, 6


class Snapshots:
    """Keeps every parameter after each step."""

    def __init__(self, learner: StableFineTuning) -> None:
        self._learner = learner
        self.states: list[State] = [self._copy()]

    def _copy(self) -> State:
        return {name: tensor.detach().clone() for name, tensor in self._learner.state_dict().items()}

    def start(self, done: int, steps: int) -> None:
        """Nothing to do."""

    def stepped(self, event: StepEvent) -> None:
        self.states.append(self._copy())

    def evaluated(self, event: EvaluationEvent) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def _snapshots(base: Path, data: Path, task: str) -> list[State]:
    definition = TASKS.load(task)
    settings = FinetuneSettings(
        steps=STEPS, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=STEPS, head_only=THAW / STEPS
    )
    clips = definition.splits(data).train
    labels = definition.labels(clips)
    learner = StableFineTuning(load_encoder(base), definition, labels, THAW)
    spy = Snapshots(learner)
    metric = goal_of(definition).metric
    Loop(
        learner,
        Feed(ClipStream(clips, BatchLimits(clips=4), 0), TaskBatches(definition, labels, AudioStore(), 0)),
        settings.loop(),
        lambda: {metric: 0.0},
        goal_of(definition),
        MemoryCheckpoints(),
        [spy],
    ).run()
    return spy.states


def _moved(before: State, after: State) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def _check_movement(states: list[State]) -> None:
    names = set(states[0])
    head = {name for name in names if name.startswith("head.")}
    cnn = {name for name in names if name.startswith("encoder.model.feature_extractor.")}
    # No input is masked in fine-tuning, so the mask embedding has no gradient.
    rest = names - head - cnn - {"encoder.model.masked_spec_embed"}
    assert head
    assert cnn
    assert rest
    for before, after in pairwise(states[: THAW + 1]):
        assert _moved(before, after) == head
    for before, after in pairwise(states[THAW:]):
        assert _moved(before, after) == head | rest
    assert not _moved(states[0], states[-1]) & cnn


def test_only_the_head_moves_before_the_thaw_and_the_cnn_never(tiny_encoder: Path, toy: Path) -> None:
    _check_movement(_snapshots(tiny_encoder, toy, "ks"))


def test_the_same_holds_for_ctc(tiny_hubert: Path, toy: Path) -> None:
    _check_movement(_snapshots(tiny_hubert, toy, "pr"))


def test_the_head_reads_the_last_hidden_state(tiny_hubert: Path, toy: Path) -> None:
    definition = TASKS.load("ks")
    clips = definition.splits(toy).train[:2]
    labels = definition.labels(definition.splits(toy).train)
    learner = StableFineTuning(load_encoder(tiny_hubert), definition, labels, 0).eval()
    batch = TaskBatches(definition, labels, AudioStore(), 0)(clips, 0)
    frames = learner.encoder(batch.audio.waveforms, batch.audio.lengths)
    output, lengths = learner.predict(batch.audio)
    assert torch.equal(output, learner.head(frames.states[-1], frames.lengths))
    assert torch.equal(lengths, frames.lengths)


def test_nothing_of_the_input_is_masked_in_training(tiny_encoder: Path, toy: Path) -> None:
    encoder = load_encoder(tiny_encoder).train()
    waveforms = torch.randn(2, 16_000)
    lengths = torch.tensor([16_000, 16_000])
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "dropout", None), float):
            setattr(module, "dropout", 0.0)  # noqa: B010
    trained = encoder(waveforms, lengths).last
    assert torch.allclose(trained, encoder.eval()(waveforms, lengths).last, atol=1e-6)


def test_long_clips_are_cropped_anew_in_each_batch(toy: Path) -> None:
    definition = replace(TASKS.load("ks"), crop=0.2)
    splits = definition.splits(toy)
    batches = TaskBatches(definition, definition.labels(splits.train), AudioStore(), 0)
    one, again, other = (batches(splits.train[:2], number).audio for number in (0, 0, 1))
    assert one.lengths.tolist() == [3200, 3200]
    assert torch.equal(one.waveforms, again.waveforms)
    assert not torch.equal(one.waveforms, other.waveforms)


def test_hidden_states_are_masked_where_the_task_wants_it(tiny_hubert: Path, toy: Path) -> None:
    encoder = load_encoder(tiny_hubert)
    losses = []
    for masked in (False, True):
        definition = replace(TASKS.load("pr"), masked=masked)
        splits = definition.splits(toy)
        labels = definition.labels(splits.train)
        torch.manual_seed(0)
        learner = StableFineTuning(encoder, definition, labels, 0).eval()
        batch = TaskBatches(definition, labels, AudioStore(), 0)(splits.train[:3], 0)
        losses.append(float(learner(batch).detach()))
        assert learner.predict(batch.audio)[0].shape[0] == 3
    assert losses[0] != losses[1]
