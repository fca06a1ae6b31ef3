"""The experiment's bases of other families."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speech_ft import bases
from benchmarks.speech_ft.claims import OTHERS
from benchmarks.speech_ft.matrix import HUBERT, PLAIN, Run
from benchmarks.speech_ft.tune import tune
from tests.pretraining.melodies import MINI, write_melodies


def test_claims_about_other_families_are_about_these(tmp_path: Path) -> None:
    assert {name.partition("-")[0] for name in OTHERS} == {base.name for base in bases.others(tmp_path)}
    assert HUBERT.name not in bases.SETTINGS
    for name, settings in bases.SETTINGS.items():
        assert settings.shape.family == name


def test_a_base_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_melodies(tmp_path, "songs")
    for name, value in {"SETTINGS": {"mini": MINI}, "HEARD": ("songs",), "HELD_OUT": ()}.items():
        monkeypatch.setattr(bases, name, value)
    (base,) = bases.others(tmp_path / "work")
    bases.pretrain_base(base, tmp_path, tmp_path / "work")
    made = (base.path / "model.safetensors").stat()
    bases.pretrain_base(base, tmp_path, tmp_path / "work")
    assert (base.path / "model.safetensors").stat() == made


def test_a_run_waits_for_its_base(tmp_path: Path) -> None:
    (first, *_) = bases.others(tmp_path)
    tune([Run(first, "pr", PLAIN, 0)], tmp_path / "data", tmp_path)
    assert not list(tmp_path.iterdir())
