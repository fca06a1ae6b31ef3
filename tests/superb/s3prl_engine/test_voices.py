"""Speaker verification: what is cut from clips, and which checkpoint is tested."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mergekit_speech.errors import DataError
from mergekit_speech.superb.s3prl_engine.effects import TRIM
from mergekit_speech.superb.s3prl_engine.forms import FORMS
from mergekit_speech.superb.s3prl_engine.voices import MODULE, VerificationOverrides
from mergekit_speech.training.settings import Goal
from tests.speech.corpus import noise


class Stock:
    """A problem that has these clips."""

    clips: Sequence[torch.Tensor] = ()

    def build_dataset(self, *words: Any) -> list[dict[str, Any]]:
        return [{"x": clip, "x_len": len(clip), "unique_name": str(place)} for place, clip in enumerate(self.clips)]


class Problem(VerificationOverrides, Stock):
    """Ours before it."""


def test_test_clips_lose_their_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    stock: Any = ModuleType("stock")
    stock.EFFECTS = [TRIM]
    monkeypatch.setitem(sys.modules, f"s3prl.problem.{MODULE}", stock)
    speech, silence = torch.from_numpy(noise(0.5)), torch.zeros(16_000)
    monkeypatch.setattr(Stock, "clips", [torch.cat([silence, speech]), silence])
    dataset = Problem().build_dataset({}, "", "", "test", "", "")
    assert len(dataset) == 2
    assert 7900 < dataset[0]["x_len"] == len(dataset[0]["x"]) < 9000
    assert dataset[1]["x_len"] == 16_000
    assert dataset[1]["unique_name"] == "1"


def test_training_clips_that_are_all_too_short() -> None:
    with pytest.raises(DataError) as caught:
        Problem().build_dataset({"train": {"min_secs": 2.0}}, "", "", "train", "", "")
    assert str(caught.value) == (
        "expected training clips longer than 2 s once silence is cut out, came none: record longer clips, or use"
        " --engine native"
    )


def test_checkpoint_is_chosen_on_validation_trials_alone() -> None:
    runs: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    scene = SimpleNamespace(tests=(), tested={Path(f"evaluate/valid/step_{step}"): [] for step in (10, 2, 6)})
    problem = SimpleNamespace(scene=scene, run=lambda **config: runs.append((scene.tests, config)))
    errors = {"step_2": 0.4, "step_6": 0.2, "step_10": 0.2}
    best = FORMS["asv"].run(problem, {"train": {}}, errors.__getitem__, Goal("eer", True))
    assert best == "step_6"
    assert runs == [(("valid",), {"train": {}}), (("test",), {"train": {}, "start": 3, "test_ckpt_steps": [6]})]
