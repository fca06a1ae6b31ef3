"""A wrong base is noticed by a sample of the weights, and a right one never mistaken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mergekit_speech import merge
from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.fingerprint import PIECE, PIECES
from mergekit_speech.merging.recipe_yaml import read_recipe
from mergekit_speech.shards.reader import Weights
from mergekit_speech.testing import tiny_checkpoint
from tests.layouts.samples import Array, Sample, draw, tune, write_folder, write_s3prl

SAMPLE, OTHER = Sample(), Sample(seed=1)


def tuned_by(share: float, *, cnn: bool) -> dict[str, Array]:
    """The sample's weights with deltas of this share of their size, in the CNN too or not."""
    deltas = draw(SAMPLE.shapes(), 5)
    return {
        name: each + np.float32(share) * deltas[name] if cnn or not name.startswith("feature_extractor.") else each
        for name, each in SAMPLE.weights().items()
    }


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "base", SAMPLE)


@pytest.mark.parametrize("cnn", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_tuned_encoders_pass(share: float, cnn: bool, base: Path, tmp_path: Path) -> None:
    tuned = write_folder(tmp_path / "tuned", SAMPLE, weights=tuned_by(share, cnn=cnn))
    merge(base, tuned, alpha=0.5, output=tmp_path / "out")


def test_another_pretraining_is_refused_with_the_evidence(base: Path, tmp_path: Path) -> None:
    tuned = write_folder(tmp_path / "tuned", OTHER)
    with pytest.raises(CheckpointError) as caught:
        merge(base, tuned, alpha=0.5, output=tmp_path / "out")
    assert str(caught.value).startswith(
        f"expected the base that {tuned} was tuned from, came {base}: over 6 weights of the layers the cosine of the "
        "two is "
    )
    assert "where tuning leaves 0.9 and more, and the delta is 1." in str(caught.value)
    assert str(caught.value).endswith(
        " times as large as the base; 0 of 2 weights of the CNN are the same, where stable fine-tuning keeps all; "
        "name the right base, or go on with --force (force: true in a recipe)"
    )
    assert not (tmp_path / "out").exists()


def test_another_layout_is_looked_into_too(base: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected the base that"):
        merge(base, write_s3prl(tmp_path / "tuned.pt", OTHER), alpha=0.5, output=tmp_path / "out")


def test_another_family_is_refused(base: Path, tmp_path: Path) -> None:
    other = Sample("wav2vec2")
    tuned = write_folder(tmp_path / "tuned", tune(other))
    with pytest.raises(CheckpointError, match=r"came .*: the base is a hubert encoder, the other a wav2vec2 one; name"):
        merge(base, tuned, alpha=0.5, output=tmp_path / "out")


def test_force_goes_on_and_is_in_the_recipe(base: Path, tmp_path: Path) -> None:
    tuned = write_folder(tmp_path / "tuned", OTHER)
    merge(base, tuned, alpha=0.5, force=True, output=tmp_path / "out")
    assert read_recipe(tmp_path / "out" / "recipe.yaml").force


def test_merges_without_a_base_compare_nothing(base: Path, tmp_path: Path) -> None:
    tuned = write_folder(tmp_path / "tuned", OTHER)
    merge(None, [base, tuned], output=tmp_path / "out")


def test_other_models_are_not_looked_into(tmp_path: Path) -> None:
    base, tuned = (tiny_checkpoint(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    merge(base, tuned, alpha=0.5, output=tmp_path / "out")


def test_weights_of_zeros_have_no_direction(tmp_path: Path) -> None:
    zeros = {name: np.zeros_like(each) for name, each in SAMPLE.weights().items()}
    base = write_folder(tmp_path / "base", SAMPLE, weights=zeros)
    merge(base, write_folder(tmp_path / "tuned", tune(SAMPLE)), alpha=0.5, output=tmp_path / "out")


def test_little_is_read(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mergekit_speech.merging import fingerprint
    from mergekit_speech.merging.plan import make_plan
    from tests.merging.recipes import make_recipe

    read: list[int] = []

    class Counting(Weights):
        def read_into(self, name: str, buffer: memoryview, start: int = 0) -> None:
            read.append(len(buffer))
            super().read_into(name, buffer, start)

    wide = Sample(hidden=256, inner=512, layers=12)
    folders = [write_folder(tmp_path / name, wide) for name in ("one", "other")]
    monkeypatch.setattr(fingerprint, "Weights", Counting)
    fingerprint.check_base(make_plan(make_recipe(*folders, params={"alpha": 0.5})))
    assert 0 < sum(read) <= 2 * 4 * PIECE * (PIECES + len(wide.convolutions))
