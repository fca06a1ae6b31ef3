"""Every layout whose files say all of an encoder's settings is fine-tuned and probed as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mergekit_speech import finetune
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.settings import Overrides
from tests.conftest import KIN
from tests.families.cells import BIN, DIRECTORY, TASK_MODEL, WHOLE, cells
from tests.families.conftest import Written
from tests.layouts.samples import FAMILIES

FEW: dict[str, Any] = {"steps": 2, "clips": 2, "evaluate_every": 2}


def check_trained(base: Path, data: Path, output: Path) -> Path:
    """Fine-tunes for two steps, checks that only what may move did, and gives the tuned encoder's directory."""
    run = finetune(base, task="ks", data=data, output=output, head_only=0.5, **FEW)
    one, other = load_encoder(base), load_encoder(run.encoder)
    tuned = other.model.state_dict()
    moved = {name for name, each in one.model.state_dict().items() if not torch.equal(each, tuned[name])}
    assert moved
    assert not any(name.startswith(one.family.frozen) for name in moved)
    return run.encoder


@pytest.mark.parametrize(
    ("family", "layout"),
    [
        *cells("fine-tune", layouts=WHOLE, families=FAMILIES),
        *cells("fine-tune", layouts=[TASK_MODEL, BIN], families=KIN),
    ],
)
def test_fine_tuned(family: str, layout: str, written: Written, data: Path, tmp_path: Path) -> None:
    check_trained(written(family, layout), data, tmp_path / "run")


@pytest.mark.parametrize(("family", "layout"), cells("fine-tune", "write", layouts=[DIRECTORY], families=KIN))
def test_fine_tuned_and_loaded_by_transformers(
    family: str, layout: str, written: Written, data: Path, tmp_path: Path
) -> None:
    from transformers import AutoModel

    folder = check_trained(written(family, layout), data, tmp_path / "run")
    _, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())


@pytest.mark.parametrize(("family", "layout"), cells("probe", layouts=WHOLE))
def test_probed(family: str, layout: str, written: Written, data: Path) -> None:
    (probe,) = run_bench([written(family, layout)], data, ["ks"], seeds=(0,), overrides=Overrides(**FEW)).probes
    assert probe.n == 2
    assert 0 <= probe.test["acc"] <= 1
