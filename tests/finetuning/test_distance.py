"""How far an encoder has moved from its base."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import DataError, Interrupted
from mergekit_speech.finetuning.distance import CLIPS, DistanceToBase
from mergekit_speech.finetuning.learner import StableFineTuning
from mergekit_speech.finetuning.method import STABLE, Adapter, Method
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.training.events import EvaluationEvent
from tests.finetuning.test_run import StopAt
from tests.speech.corpus import make_clip, noise, saved_clip
from tests.training.toy import Watcher

SETTINGS = FinetuneSettings(
    steps=6, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=2, head_only=0.34, seed=3
)
METHODS = {
    "stable": STABLE,
    "ema": Method(ema=0.9),
    "lora": Method(adapter=Adapter("lora", 2)),
    "dora": Method(adapter=Adapter("dora", 2)),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Two clips of different length."""
    folder = tmp_path_factory.mktemp("clips")
    return [saved_clip(folder, name, noise(seconds)) for name, seconds in (("a", 0.5), ("b", 0.9))]


def learner_of(base: Path, method: Method = STABLE) -> StableFineTuning:
    return StableFineTuning(load_encoder(base), TASKS.load("ks"), Labels(("high", "low")), 0, method)


def measured(distance: DistanceToBase, watcher: Watcher) -> dict[str, float]:
    distance.evaluated(EvaluationEvent(1, {"acc": 0.5}, best=True))
    return dict(watcher.evaluations[-1].base)


@pytest.mark.parametrize("name", METHODS)
def test_an_encoder_that_has_not_moved_is_its_base(name: str, tiny_hubert: Path, clips: list[Clip]) -> None:
    watcher = Watcher()
    distance = DistanceToBase(learner_of(tiny_hubert, METHODS[name]), clips, [watcher])
    distance.start(0, 6)
    assert watcher.starts == [(0, 6)]
    assert measured(distance, watcher) == pytest.approx({"feature_cosine": 1.0, "weight_distance": 0.0}, abs=1e-6)
    assert watcher.evaluations[0].metrics == {"acc": 0.5}
    distance.close()
    assert watcher.closed == 1


def test_figures_worked_by_hand(tiny_hubert: Path, clips: list[Clip]) -> None:
    watcher, learner, base = Watcher(), learner_of(tiny_hubert), load_encoder(tiny_hubert).eval()
    distance = DistanceToBase(learner, clips, [watcher])
    distance.start(0, 6)
    before = {name: each.clone() for name, each in learner.state_dict().items()}
    norm = learner.encoder.model.get_submodule("encoder.layers.1.final_layer_norm")
    with torch.no_grad():
        norm.get_parameter("weight").add_(0.5)
        norm.get_parameter("bias").add_(torch.linspace(-3, 3, 32))
    draws = torch.get_rng_state()
    found = measured(distance, watcher)
    # 32 elements moved by 0.5, 32 along the line.
    moved = 32 * 0.25 + float(torch.linspace(-3, 3, 32).square().sum())
    size = sum(float(each.detach().square().sum()) for each in base.model.parameters())
    assert found["weight_distance"] == pytest.approx((moved / size) ** 0.5, rel=1e-5)
    frames = []
    with torch.no_grad():
        for clip in clips:
            batch = pad([clip], [noise(clip.duration)])
            one, other = (each.eval()(batch.waveforms, batch.lengths).last[0] for each in (learner.encoder, base))
            frames.append((one * other).sum(-1) / one.norm(dim=-1) / other.norm(dim=-1))
    assert found["feature_cosine"] == pytest.approx(float(torch.cat(frames).mean()), abs=1e-3)
    assert found["feature_cosine"] < 0.95
    # What it measures it leaves alone.
    assert torch.equal(draws, torch.get_rng_state())
    after = learner.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == [
        "encoder.model.encoder.layers.1.final_layer_norm.weight",
        "encoder.model.encoder.layers.1.final_layer_norm.bias",
    ]


@pytest.mark.parametrize(("count", "heard"), [(1, 1), (8, 8), (9, 5), (16, 8), (17, 6), (1000, 8)])
def test_a_few_clips_spread_evenly_are_heard(count: int, heard: int, tiny_hubert: Path) -> None:
    distance = DistanceToBase(learner_of(tiny_hubert), [make_clip(str(number)) for number in range(count)], [])
    chosen = distance.clips
    assert len(chosen) == heard <= CLIPS
    steps = {int(after.id) - int(before.id) for before, after in pairwise(chosen)}
    assert len(steps) <= 1


def test_clip_that_is_gone(tiny_hubert: Path) -> None:
    with pytest.raises(DataError, match=r"clip gone\.wav does not exist"):
        DistanceToBase(learner_of(tiny_hubert), [make_clip("gone")], []).start(0, 6)


def test_a_resumed_run_logs_the_same_distances(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    def logged(run: Path) -> list[dict[str, object]]:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [row for row in rows if "valid" in row]

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finetune(tiny_hubert, task="ks", data=toy, output=whole, settings=SETTINGS, log_to=())
    with pytest.raises(Interrupted):
        finetune(tiny_hubert, task="ks", data=toy, output=broken, settings=SETTINGS, observers=[StopAt(5)])
    finetune(tiny_hubert, task="ks", data=toy, output=broken, settings=SETTINGS, resume=True, log_to=())
    assert logged(whole) == logged(broken)
    assert not (whole / "tensorboard").exists()
    first, *_, last = (row["base"] for row in logged(whole))
    # The encoder thaws with the fourth of six steps.
    assert first == pytest.approx({"feature_cosine": 1.0, "weight_distance": 0.0}, abs=1e-9)
    assert isinstance(last, dict)
    assert 0 < last["weight_distance"] < 0.5
    assert -1 <= last["feature_cosine"] < 1
