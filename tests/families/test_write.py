"""What `msm convert` writes is what the next tool loads: nothing is missing, and no value has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from mergekit_speech.cli import main
from mergekit_speech.encoders.pretrained import load_encoder
from tests.families.cells import BIN, DIRECTORY, S3PRL, TASK_MODEL, cells
from tests.families.conftest import Written
from tests.families.written import WEIGHTS_BIN, sample_of
from tests.layouts.samples import FAMILIES, KEYS, equal, fairseq_state, read_folder


def convert(source: Path, output: Path, layout: str) -> Path:
    done = CliRunner().invoke(main, ["convert", str(source), str(output), "--layout", layout])
    assert done.exit_code == 0, done.output
    return output


def there_and_back(start: Path, folder: Path) -> Path:
    return convert(convert(start, folder / "x.pt", "s3prl"), folder / "back", "transformers")


def check_loaded(loaded: tuple[Any, dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Checks that transformers had all it needed, and gives what it has now."""
    model, report = loaded
    assert not any(report.values())
    state: dict[str, torch.Tensor] = model.state_dict()
    return state


@pytest.mark.parametrize(("family", "layout"), cells("write", layouts=[DIRECTORY], families=FAMILIES))
def test_directory(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    folder = convert(written(family, S3PRL), tmp_path / "out", "transformers")
    assert equal(read_folder(folder), sample_of(family).weights())
    assert load_encoder(folder).filled == ()
    if family != "decoar2":
        from transformers import AutoModel

        check_loaded(AutoModel.from_pretrained(folder, output_loading_info=True))


@pytest.mark.parametrize(("family", "layout"), cells("write", layouts=[TASK_MODEL], families=FAMILIES))
def test_task_model(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    from transformers import AutoModelForCTC

    start = written(family, layout)
    back = there_and_back(start, tmp_path)
    one, other = (
        check_loaded(AutoModelForCTC.from_pretrained(path, output_loading_info=True)) for path in (start, back)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("family", "layout"), cells("write", layouts=[BIN], families=FAMILIES))
def test_old_weight_norm(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    start = written(family, layout)
    weights = torch.load(start / WEIGHTS_BIN, weights_only=True)
    assert any(name.endswith("weight_g") for name in weights)
    assert equal(read_folder(there_and_back(start, tmp_path)), {name: each.numpy() for name, each in weights.items()})


@pytest.mark.parametrize(("family", "layout"), cells("write", layouts=[S3PRL], families=FAMILIES))
def test_file_of_s3prl(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    from_folder = torch.load(convert(written(family, DIRECTORY), tmp_path / "x.pt", "s3prl"), weights_only=True)
    from_file = torch.load(convert(written(family, S3PRL), tmp_path / "y.pt", "s3prl"), weights_only=True)
    expected = fairseq_state(sample_of(family))
    assert from_file[KEYS[family]].keys() == expected.keys()
    for name, each in fairseq_state(sample_of(family), heads=False).items():
        assert torch.equal(from_folder[KEYS[family]][name], each)
    for name, each in expected.items():
        assert torch.equal(from_file[KEYS[family]][name], each)
