"""Several tasks at once: whose turn it is, whose head learns, the score, and that runs resume exactly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import Interrupted, SettingsError
from mergekit_speech.finetuning.joint import JointFineTuning, MixedStream, Mixture, joint_lesson
from mergekit_speech.finetuning.learner import StableFineTuning
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.batches import BatchLimits, ClipStream, Position
from mergekit_speech.speech.manifest import read_manifest
from tests.finetuning.test_run import StopAt

SETTINGS = FinetuneSettings(steps=6, learning_rate=1e-3, clips=4, accumulate=2, evaluate_every=2, seed=3, head_only=0.2)
BOTH = ["pr", "ks"]


def stream_of(data: Path, **shares: float) -> MixedStream:
    clips = read_manifest(data, "ks")
    streams = {name: ClipStream(clips, BatchLimits(clips=3), 0) for name in shares}
    return MixedStream(streams, shares, seed=1)


def test_turns_follow_the_shares(toy: Path) -> None:
    stream = stream_of(toy, a=3.0, b=1.0, c=0.000001)
    turns = Counter(stream.turn(number) for number in range(2000))
    assert 0.7 < turns["a"] / 2000 < 0.8
    assert turns["a"] + turns["b"] >= 1999


def test_stream_can_be_taken_up_anywhere(toy: Path) -> None:
    stream = stream_of(toy, a=1.0, b=1.0)
    whole = stream.batches()
    first = [next(whole) for _ in range(12)]
    assert [position for position, _ in first] == [Position(0, number) for number in range(1, 13)]
    for start in (1, 5, 11):
        later = stream.batches(Position(0, start))
        assert [next(later) for _ in range(12 - start)] == first[start:]


def test_only_the_head_whose_turn_it_is_learns_and_its_loss_is_weighed(tiny_hubert: Path, toy: Path) -> None:
    torch.manual_seed(0)
    tasks = [TASKS.load(name) for name in BOTH]
    lesson = joint_lesson(load_encoder(tiny_hubert), tasks, Mixture({"pr": 0.5}), toy, SETTINGS)
    learner = lesson.learner.eval()
    assert isinstance(learner, JointFineTuning)
    clips = tasks[0].splits(toy).train[:3]
    for number in range(8):
        batch = lesson.feed.collate(clips, number)
        learner.zero_grad()
        loss = learner(batch)
        loss.backward()
        moved = {
            name.split(".")[0]
            for name, each in learner.head.named_parameters()
            if each.grad is not None and each.grad.any()
        }
        assert moved == {batch.task}
        definition = TASKS.load(batch.task)
        alone = StableFineTuning(load_encoder(tiny_hubert), definition, definition.labels(clips), 0).eval()
        alone.head = learner.head.get_submodule(batch.task)
        with torch.no_grad():
            expected = float(alone(batch.batch)) * (0.5 if batch.task == "pr" else 1.0)
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_run_leaves_a_head_for_each_task_and_picks_by_their_mean(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    report = finetune(tiny_hubert, task=BOTH, data=toy, output=tmp_path / "run", settings=SETTINGS)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["task"] == BOTH
    assert record["mixture"] == {"weights": {}, "temperature": 1.0}
    assert set(report.valid) == set(report.test) == {"score", "pr.per", "ks.acc"}
    assert report.test["score"] == pytest.approx((1 - report.test["pr.per"] + report.test["ks.acc"]) / 2)
    for name in BOTH:
        labels = json.loads((tmp_path / "run" / "head" / name / "labels.json").read_text())["labels"]
        assert len(labels) == len(load_file(tmp_path / "run" / "head" / name / "head.safetensors")["classify.bias"])
    best = max(row["score"] for row in record["history"])
    assert record["valid"]["score"] == best


def test_resumes_to_the_bit(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    mixture = Mixture({"ks": 2.0}, temperature=5.0)
    finetune(tiny_hubert, task=BOTH, mixture=mixture, data=toy, output=tmp_path / "whole", settings=SETTINGS)
    for stop in (1, 3):
        output = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            finetune(
                tiny_hubert,
                task=BOTH,
                mixture=mixture,
                data=toy,
                output=output,
                settings=SETTINGS,
                observers=[StopAt(stop)],
            )
        finetune(tiny_hubert, task=BOTH, mixture=mixture, data=toy, output=output, settings=SETTINGS, resume=True)
        for name in ("encoder/model.safetensors", "head/pr/head.safetensors"):
            assert (output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_temperature_makes_small_tasks_heard(toy: Path, tiny_hubert: Path) -> None:
    tasks = [TASKS.load(name) for name in BOTH]
    lesson = joint_lesson(load_encoder(tiny_hubert), tasks, Mixture({}, temperature=1e9), toy, SETTINGS)
    stream = lesson.feed._stream
    assert isinstance(stream, MixedStream)
    turns = Counter(stream.turn(number) for number in range(1000))
    assert 400 < turns["pr"] < 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": ["pr", "pr"]}, "expected each task once, got pr, pr: name it once"),
        (
            {"task": BOTH, "mixture": Mixture({"sid": 1.0})},
            "expected weights for pr, ks, got one for 'sid': correct it",
        ),
    ],
)
def test_tasks_that_do_not_go_together(
    arguments: dict[str, object], message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as raised:
        finetune(tiny_hubert, data=toy, output=tmp_path / "run", settings=SETTINGS, **arguments)  # type: ignore[arg-type]
    assert message in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mixture", [({"pr": 0.0}, 1.0), ({}, -1.0)])
def test_mixtures_that_make_no_sense(mixture: tuple[dict[str, float], float]) -> None:
    with pytest.raises(SettingsError, match="the weight of a task and the temperature must be above 0, got"):
        Mixture(*mixture)
