"""A probe: weighted sum, head, and nothing of the encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.assignment import Assignment
from mergekit_speech.superb.probe import EVALUATED_TOGETHER, Probe, ProbeBatch, answer, mean_suffices
from mergekit_speech.superb.states import StateStore
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task
from tests.superb.corpus import assignment


@pytest.fixture
def store(tiny_hubert: Path) -> StateStore:
    return StateStore(load_encoder(tiny_hubert), "e", 1 << 30)


class Frames:
    """A store that gives all frames in place of their mean."""

    def __init__(self, store: StateStore) -> None:
        self.read = store.read

    def read_mean(self, clip: Clip) -> torch.Tensor:
        return self.read(clip)


def splits_of(job: Assignment) -> Splits:
    return job.folds[0].splits


def labels_of(job: Assignment) -> Labels:
    return job.folds[0].labels


def probe_on(job: Assignment, store: StateStore | Frames) -> Probe:
    torch.manual_seed(0)
    return Probe(job.task, labels_of(job), store, depth=3, dim=32)


def batch_of(job: Assignment, clips: int = 5) -> ProbeBatch:
    chosen = splits_of(job).train[:clips]
    return ProbeBatch(chosen, job.task.targets(chosen, labels_of(job)))


def test_sum_starts_as_the_plain_mean_of_the_layers(corpus: Path, store: StateStore) -> None:
    job = assignment(corpus, "pr")
    probe = probe_on(job, store)
    clip = splits_of(job).train[0]
    (row,) = probe.features([clip])
    assert torch.allclose(row, store.read(clip).mean(dim=0), atol=1e-6)
    assert probe.layer_weights() == pytest.approx([1 / 3] * 3)


def test_sum_follows_the_softmax_of_the_weights(corpus: Path, store: StateStore) -> None:
    job = assignment(corpus, "pr")
    probe = probe_on(job, store)
    probe.layers.data = torch.tensor([0.0, 1.0, -1.0])
    clip = splits_of(job).train[0]
    share = torch.tensor([0.0, 1.0, -1.0]).softmax(dim=0)
    expected = sum(share[layer] * store.read(clip)[layer] for layer in range(3))
    assert torch.allclose(probe.features([clip])[0], torch.as_tensor(expected), atol=1e-6)
    assert probe.layer_weights() == pytest.approx(share.tolist())


def test_only_head_and_weights_are_trained(corpus: Path, store: StateStore) -> None:
    probe = probe_on(assignment(corpus, "ks"), store)
    assert {name.partition(".")[0] for name in probe.state_dict()} == {"layers", "head"}
    assert len(probe.trained()) == len(list(probe.parameters()))


@pytest.mark.parametrize("task", ["pr", "ks"])
def test_padding_and_neighbours_have_no_say(corpus: Path, store: StateStore, task: str) -> None:
    job = assignment(corpus, task)
    probe = probe_on(job, store)
    clips = splits_of(job).train[:4]
    together, lengths = probe.predict(clips)
    for row, clip in enumerate(clips):
        alone, (length,) = probe.predict([clip])
        assert lengths[row] == length
        expected, found = (alone[0, :length], together[row, :length]) if task == "pr" else (alone[0], together[row])
        assert torch.allclose(found, expected, atol=1e-6)


def test_mean_over_frames_is_all_that_a_pooling_head_needs(corpus: Path, store: StateStore) -> None:
    job = assignment(corpus, "ks")
    pooled, framed = probe_on(job, store), probe_on(job, Frames(store))
    clips = splits_of(job).train[:5]
    assert {len(row) for row in pooled.features(clips)} == {1}
    assert min(len(row) for row in framed.features(clips)) > 1
    assert torch.allclose(pooled.predict(clips)[0], framed.predict(clips)[0], atol=1e-5)
    for probe in (pooled, framed):
        probe(batch_of(job)).backward()
    for one, other in zip(pooled.parameters(), framed.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-5)


def test_heads_that_read_frames_get_frames(corpus: Path) -> None:
    assert [mean_suffices(task_of(corpus, name)) for name in ("pr", "ks", "er")] == [False, True, True]


def task_of(corpus: Path, name: str) -> Task:
    return assignment(corpus, name).task


def test_gradients_are_those_of_a_plain_batch(corpus: Path, store: StateStore) -> None:
    """Padding by pieces and the product with a view, against the textbook way."""
    job = assignment(corpus, "pr")
    probe, batch = probe_on(job, store), batch_of(job)
    probe(batch).backward()
    found = [parameter.grad for parameter in probe.parameters()]
    probe.zero_grad()
    weights = probe.layers.softmax(dim=0)[:, None, None]
    rows = [(weights * store.read(clip)).sum(dim=0) for clip in batch.clips]
    lengths = torch.tensor([len(row) for row in rows])
    output = probe.head(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)
    torch.autograd.backward(job.task.loss(output, lengths, batch.targets))
    for one, parameter in zip(found, probe.parameters(), strict=True):
        assert one is not None
        assert parameter.grad is not None
        assert torch.allclose(one, parameter.grad, atol=1e-6)


def test_evaluation_keeps_the_order_of_the_clips(corpus: Path, store: StateStore) -> None:
    job = assignment(corpus, "ks")
    probe = probe_on(job, store).eval()
    clips = list(splits_of(job).train) * 3
    numbered = [replace(clip, id=f"{clip.id}:{number}") for number, clip in enumerate(clips)]
    assert len(numbered) > EVALUATED_TOGETHER
    with torch.no_grad():
        said = [labels_of(job).names[int(probe.predict([clip])[0].argmax())] for clip in numbered]
    answers = answer(probe, job.task, labels_of(job), numbered)
    assert [answers[clip.id] for clip in numbered] == said
