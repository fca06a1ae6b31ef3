"""The methods beside stable fine-tuning: what moves, what the loss is, what is kept, and that runs resume exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import Interrupted, SettingsError
from mergekit_speech.finetuning.learner import StableFineTuning, TaskBatches
from mergekit_speech.finetuning.method import L2, STABLE, Adapter, Method
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from tests.finetuning.test_run import StopAt

SETTINGS = FinetuneSettings(
    steps=6, learning_rate=3e-3, clips=4, accumulate=1, evaluate_every=2, head_only=0.34, seed=3
)
METHODS = {
    "regular": Method(train_cnn=True),
    "l2": Method(l2=L2(10.0)),
    "lora": Method(adapter=Adapter("lora", 4)),
    "dora": Method(adapter=Adapter("dora", 4)),
    "ema": Method(ema=0.9),
    "early": Method(early=0.5),
}


def tune(base: Path, data: Path, output: Path, method: Method, **more: Any) -> dict[str, torch.Tensor]:
    settings = more.pop("settings", replace(SETTINGS, method=method))
    finetune(base, task="ks", data=data, output=output, settings=settings, **more)
    return load_file(output / "encoder" / "model.safetensors")


@pytest.fixture(scope="module")
def stable(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without any method, for comparison."""
    output = tmp_path_factory.mktemp("stable") / "run"
    tune(tiny_hubert, toy, output, STABLE)
    return output


def learner_of(base: Path, data: Path, method: Method, thaw: int = 0) -> tuple[StableFineTuning, Any]:
    definition = TASKS.load("ks")
    clips = definition.splits(data).train
    labels = definition.labels(clips)
    torch.manual_seed(0)
    learner = StableFineTuning(load_encoder(base), definition, labels, thaw, method)
    return learner, TaskBatches(definition, labels, AudioStore(), 0)(clips[:4], 0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_leaves_an_encoder_like_its_base_and_says_so_in_the_record(
    name: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    method = METHODS[name]
    tuned, base = tune(tiny_hubert, toy, tmp_path / "run", method), load_file(tiny_hubert / "model.safetensors")
    assert {key: tensor.shape for key, tensor in tuned.items()} == {key: tensor.shape for key, tensor in base.items()}
    assert json.loads((tmp_path / "run" / "record.json").read_text())["settings"]["method"] == json.loads(
        json.dumps(method.document())
    )
    moved = {key for key in base if not torch.equal(base[key], tuned[key])}
    cnn = {key for key in base if key.startswith("feature_extractor.")}
    assert moved
    assert bool(moved & cnn) == method.train_cnn
    if method.adapter:
        assert {key.rsplit(".", 2)[-2] for key in moved} <= {
            *("q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense")
        }
        assert not any(key.endswith("bias") for key in moved)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_resumes_to_the_bit(name: str, tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    whole = tune(tiny_hubert, toy, tmp_path / "whole", METHODS[name])
    for stop in (1, 4):
        output = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            tune(tiny_hubert, toy, output, METHODS[name], observers=[StopAt(stop)])
        resumed = tune(tiny_hubert, toy, output, METHODS[name], resume=True)
        assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_all_methods_hear_the_same_clips_in_the_same_order(
    stable: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    def heard(run: Path) -> list[tuple[int, float]]:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [(row["step"], row["audio_seconds"]) for row in rows if "loss" in row]

    for name in ("regular", "l2", "lora"):
        tune(tiny_hubert, toy, tmp_path / name, METHODS[name])
        assert heard(tmp_path / name) == heard(stable)


def test_l2_penalty_by_hand(tiny_hubert: Path, toy: Path) -> None:
    learner, batch = learner_of(tiny_hubert, toy, Method(l2=L2(0.5)))
    plain, _ = learner_of(tiny_hubert, toy, STABLE)
    for one in (learner, plain):
        one.enter(0)
        one.eval()
        with torch.no_grad():
            for number, (name, each) in enumerate(one.encoder.model.named_parameters()):
                if not name.startswith("feature_extractor."):
                    each.add_(0.01 * (number % 3))
    base = dict(load_encoder(tiny_hubert).model.named_parameters())
    far = sum(
        float((each - base[name]).detach().square().sum())
        for name, each in learner.encoder.model.named_parameters()
        if each.requires_grad
    )
    with torch.no_grad():
        assert float(learner(batch)) == pytest.approx(float(plain(batch)) + 0.25 * far, rel=1e-4)


def test_l2_factors_are_for_layers_and_what_is_outside_counts_once(tiny_hubert: Path, toy: Path) -> None:
    layers = load_encoder(tiny_hubert).depth - 1
    learner, _ = learner_of(tiny_hubert, toy, Method(l2=L2(2.0, tuple(float(number) for number in range(layers)))))
    assert learner._l2 is not None
    for part, weight in (("encoder.layers.1.", 1.0), ("feature_projection.", 1.0), ("encoder.layers.0.", 0.0)):
        moved = 0.0
        with torch.no_grad():
            for name, each in learner.encoder.model.named_parameters():
                if part in name:
                    each.add_(0.1)
                    moved += 0.01 * each.numel()
            assert float(learner._l2(learner._moving())) == pytest.approx(weight * moved, rel=1e-4)
            for name, each in learner.encoder.model.named_parameters():
                if part in name:
                    each.sub_(0.1)


def test_l2_holds_the_encoder_near_its_base(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    base = load_file(tiny_hubert / "model.safetensors")

    def distance(state: dict[str, torch.Tensor]) -> float:
        return float(torch.stack([(state[key] - base[key]).square().sum() for key in base]).sum().sqrt())

    free, held = (
        tune(tiny_hubert, toy, tmp_path / name, method, settings=replace(SETTINGS, evaluate_every=6, method=method))
        for name, method in (("free", STABLE), ("held", Method(l2=L2(100.0))))
    )
    assert distance(held) < 0.9 * distance(free)


def test_folded_adapter_gives_the_features_of_the_adapter(tiny_encoder: Path, toy: Path) -> None:
    for kind in ("lora", "dora"):
        learner, batch = learner_of(tiny_encoder, toy, Method(adapter=Adapter(kind, 3)))
        with torch.no_grad():
            for name, each in learner.encoder.model.named_parameters():
                if "lora_B" in name:
                    each.normal_(std=0.3)
        learner.eval()
        tuned = learner.tuned().eval()
        assert tuned.model.state_dict().keys() == load_encoder(tiny_encoder).model.state_dict().keys()
        with torch.no_grad():
            expected = learner.encoder(batch.audio.waveforms, batch.audio.lengths).last
            assert torch.allclose(tuned(batch.audio.waveforms, batch.audio.lengths).last, expected, atol=1e-5)
            base = load_encoder(tiny_encoder).eval()(batch.audio.waveforms, batch.audio.lengths).last
        assert not torch.allclose(base, expected, atol=1e-3)


def test_every_matrix_of_an_adapter_gets_a_gradient_in_every_family(tiny_encoder: Path, toy: Path) -> None:
    learner, batch = learner_of(tiny_encoder, toy, Method(adapter=Adapter("lora", 3)))
    learner.enter(0)
    learner.train()
    learner(batch).backward()
    matrices = {name: each for name, each in learner.encoder.model.named_parameters() if "lora_B" in name}
    assert matrices
    assert all(each.grad is not None and each.grad.any() for each in matrices.values())


def test_adapter_where_it_would_do_nothing_or_is_nowhere(tiny_encoders: dict[str, Path], toy: Path) -> None:
    with pytest.raises(SettingsError, match=r"an adapter on 'q_proj' does nothing in WavLM, whose attention reads"):
        learner_of(tiny_encoders["wavlm"], toy, Method(adapter=Adapter("lora", 3, targets=("q_proj",))))
    with pytest.raises(SettingsError, match=r"expected a linear layer for an adapter, got 'q_prj' \(did you mean"):
        learner_of(tiny_encoders["hubert"], toy, Method(adapter=Adapter("lora", 3, targets=("q_prj",))))


def test_moving_average_by_hand(tiny_hubert: Path, toy: Path) -> None:
    learner, _ = learner_of(tiny_hubert, toy, Method(ema=0.5))
    assert learner.ema is not None
    weight = learner.encoder.model.get_parameter("encoder.layer_norm.weight")
    start, expected = weight.detach().clone(), weight.detach().clone()
    for step in (1, 2, 9):
        with torch.no_grad():
            weight.add_(1.0)
        learner.ema.stepped(StepEvent(step, 0.0, 0.0, 0.0, 0.0, 0.0))
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * weight.detach()
    with learner.judged():
        assert torch.allclose(weight, expected)
    assert torch.allclose(weight, start + 3.0)
    assert torch.allclose(learner.tuned().model.get_parameter("encoder.layer_norm.weight"), expected)


def test_average_is_what_is_judged_and_kept(stable: Path, tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    averaged = tune(tiny_hubert, toy, tmp_path / "run", Method(ema=0.9))
    plain = load_file(stable / "encoder" / "model.safetensors")
    assert any(not torch.equal(averaged[key], plain[key]) for key in plain)
    head = load_file(tmp_path / "run" / "head" / "head.safetensors")
    assert any(
        not torch.equal(head[key], each) for key, each in load_file(stable / "head" / "head.safetensors").items()
    )


def test_early_encoder_is_that_of_its_step(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    class Copies:
        states: dict[int, dict[str, torch.Tensor]] = {}  # noqa: RUF012

        def start(self, done: int, steps: int) -> None:
            """Nothing to do."""

        def stepped(self, event: StepEvent) -> None:
            early = tmp_path / "run" / "early"
            self.states[event.step] = load_file(early / "model.safetensors") if early.is_dir() else {}

        def evaluated(self, event: EvaluationEvent) -> None:
            """Nothing to do."""

        def close(self) -> None:
            """Nothing to do."""

    copies = Copies()
    tune(tiny_hubert, toy, tmp_path / "run", Method(early=0.67), observers=[copies])
    assert [bool(copies.states[step]) for step in range(1, 7)] == [False] * 4 + [True] * 2
    kept = load_file(tmp_path / "run" / "early" / "model.safetensors")
    assert all(torch.equal(kept[key], copies.states[5][key]) for key in kept)
    AutoModel.from_pretrained(tmp_path / "run" / "early")


def test_run_of_another_method_is_not_resumed(stable: Path, tiny_hubert: Path, toy: Path) -> None:
    with pytest.raises(SettingsError, match="was started with another settings"):
        tune(tiny_hubert, toy, stable, METHODS["l2"], resume=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L2(-1.0), "the weight of the distance to the base must be at least 0, got -1.0"),
        (lambda: L2(1.0, (1.0, float("nan"))), "must be at least 0, got nan"),
        (lambda: Adapter("lora", 0), "the rank of an adapter must be at least 1, got 0"),
        (lambda: Adapter("lora", 1, alpha=0), "alpha of an adapter must be above 0, got 0"),
        (lambda: Method(ema=1.0), "ema is a fraction in (0, 1), got 1.0"),
        (lambda: Method(early=0.0), "early is a fraction in (0, 1), got 0.0"),
        (lambda: Method(train_cnn=True, adapter=Adapter("lora")), "an adapter leaves the encoder as it is"),
    ],
)
def test_methods_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make()
    assert message in str(raised.value)


def test_factors_for_other_layers(tiny_hubert: Path, toy: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected a weight for each of the 2 layers, got 3: give as many"):
        learner_of(tiny_hubert, toy, Method(l2=L2(1.0, (1.0, 1.0, 1.0))))
