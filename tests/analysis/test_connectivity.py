"""Mixtures of features worked by hand, and α read from weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mergekit_speech.analysis.connectivity import ConnectivitySums, find_line, recorded_tuned
from mergekit_speech.analysis.distance import compare_checkpoints
from mergekit_speech.errors import CheckpointError

BASE = np.array([[1.0, 0.0], [3.0, 2.0]])
TUNED = np.array([[5.0, 0.0], [3.0, 6.0]])
MIXTURE = np.array([[2.0, 0.0], [3.0, 3.0]])


def _measure(merged: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float | None, float | None]:
    sums = ConnectivitySums(2, 0.25)
    for row in range(2):
        sums.add(BASE[row : row + 1], TUNED[row : row + 1], merged[row : row + 1])
    sums.add(BASE[:0], TUNED[:0], merged[:0])
    found = sums.figures(1)
    assert found.layer == 1
    return found.r2, found.relative_error


def test_the_mixture_itself_has_no_error() -> None:
    assert _measure(MIXTURE) == (1.0, 0.0)


def test_figures_by_hand() -> None:
    # Residuals 1 and 1 in the second dimension, whose squares about its mean are 4.5; the mixture's squares are 22.
    r2, error = _measure(MIXTURE + np.array([0.0, 1.0]))
    assert r2 == pytest.approx((1 + (1 - 2 / 4.5)) / 2)
    assert error == pytest.approx((2 / 22) ** 0.5)


def test_nothing_varies() -> None:
    sums = ConnectivitySums(2, 0.5)
    sums.add(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 2)))
    assert (sums.figures(0).r2, sums.figures(0).relative_error) == (None, None)


def _save(folder: Path, values: list[float]) -> Path:
    folder.mkdir()
    save_file({"encoder.layers.0.weight": np.array(values, np.float32)}, folder / "model.safetensors")
    return folder


def test_alpha_is_read_from_weights(tmp_path: Path) -> None:
    base, tuned = _save(tmp_path / "b", [1, 1, 1]), _save(tmp_path / "t", [1, 5, 1])
    merged = compare_checkpoints(base, _save(tmp_path / "m", [1, 2, 1]))
    line = find_line(compare_checkpoints(base, tuned), merged)
    assert (line.alpha, line.off) == pytest.approx((0.25, 0.0), abs=1e-7)
    aside = compare_checkpoints(base, _save(tmp_path / "a", [1, 2, 3]))
    line = find_line(compare_checkpoints(base, tuned), aside)
    assert (line.alpha, line.off) == pytest.approx((0.25, 0.5))


def test_a_merge_that_is_the_base(tmp_path: Path) -> None:
    base, tuned = _save(tmp_path / "b", [1, 1, 1]), _save(tmp_path / "t", [1, 5, 1])
    line = find_line(compare_checkpoints(base, tuned), compare_checkpoints(base, base))
    assert (line.alpha, line.off) == (0.0, 0.0)


def test_a_tuned_encoder_that_is_the_base_is_refused(tmp_path: Path) -> None:
    base = _save(tmp_path / "b", [1, 1, 1])
    with pytest.raises(CheckpointError, match="whose weights are the same: name another one"):
        find_line(compare_checkpoints(base, base), compare_checkpoints(base, base))


def test_what_no_recipe_tells(tmp_path: Path) -> None:
    assert recorded_tuned(tmp_path) is None
    for text in ("merge: [", "base_model: b\nmerge_method: linear\nmodels: [{model: one}, {model: two}]\n"):
        (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
        assert recorded_tuned(tmp_path) is None
