"""R², CKA and cosine beside whole matrices, however the frames come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from mergekit_speech.analysis.products import Array, Products, Values
from mergekit_speech.analysis.similarity import Half, LayerSimilarity, SimilaritySums

HALF = 150


def _draw(seed: int, frames: int, dim: int) -> Values:
    return np.random.default_rng(seed).normal(size=(frames, dim))


def _compare(base: Array, other: Array, cuts: tuple[int, ...] = (HALF,)) -> LayerSimilarity:
    sums = SimilaritySums(base.shape[1], other.shape[1])
    for start, end in zip((0, *cuts), (*cuts, len(base)), strict=True):
        half: Half = 0 if end <= HALF else 1
        sums.add(base[start:end], other[start:end], half)
    assert sums.frames == len(base)
    return sums.figures(3)


def _related(dim: int = 5) -> tuple[Values, Values]:
    other = _draw(0, 2 * HALF, dim) + 3
    return other @ _draw(1, dim, 7) + _draw(2, 2 * HALF, 7) - 20, other


def test_r2_is_that_of_sklearn() -> None:
    base, other = _related()
    model = LinearRegression().fit(other[:HALF], base[:HALF])
    wanted = r2_score(base[HALF:], model.predict(other[HALF:]), multioutput="raw_values")
    found = _compare(base, other)
    # sklearn refers to the mean of the scored half, as we do.
    assert found.r2 == pytest.approx(float(np.mean(wanted)), abs=1e-10)
    assert found.layer == 3


def test_cka_is_that_of_the_whole_gram_matrices() -> None:
    base, other = _related()
    one, two = (each - each.mean(axis=0) for each in (base, other))
    grams = one @ one.T, two @ two.T
    wanted = float((grams[0] * grams[1]).sum() / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1]))
    assert _compare(base, other).cka == pytest.approx(wanted, abs=1e-10)


def test_cosine_is_the_mean_over_frames() -> None:
    base, other = _draw(0, 300, 4), _draw(1, 300, 4)
    each = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in zip(base, other, strict=True)]
    assert _compare(base, other).cosine == pytest.approx(float(np.mean(each)), abs=1e-12)


def test_the_same_features_are_wholly_similar() -> None:
    features = _draw(0, 300, 6)
    found = _compare(features, features)
    assert (found.r2, found.cka, found.cosine) == pytest.approx((1.0, 1.0, 1.0), abs=1e-9)


def test_a_rotation_changes_the_cosine_alone() -> None:
    features = _draw(0, 300, 6)
    rotation, _ = np.linalg.qr(_draw(1, 6, 6))
    found = _compare(features, features @ rotation)
    assert (found.r2, found.cka) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert found.cosine is not None
    assert found.cosine < 0.9


def test_unrelated_features_have_no_r2_to_speak_of() -> None:
    found = _compare(_draw(0, 300, 4), _draw(1, 300, 4))
    assert found.r2 is not None
    assert found.r2 < 0.05
    assert found.cka is not None
    assert found.cka < 0.1


def test_features_that_depend_on_one_another_are_fitted_all_the_same() -> None:
    base, other = _related()
    doubled = np.concatenate([other, other @ _draw(5, 5, 3), np.full((300, 1), 7.1)], axis=1)
    assert _compare(base, doubled).r2 == pytest.approx(_compare(base, other).r2, abs=1e-8)


def test_dimensions_of_very_different_size_count_alike() -> None:
    base, other = _related()
    sizes = np.array([1e-4, 1, 1e4, 1e-2, 1e2])
    assert _compare(base, other * sizes + 1e5).r2 == pytest.approx(_compare(base, other).r2, abs=1e-6)


def test_what_does_not_vary_has_no_figures() -> None:
    constant = np.full((300, 4), 0.1)
    found = _compare(constant, _draw(0, 300, 4))
    assert (found.r2, found.cka) == (None, None)
    assert _compare(_draw(0, 300, 4), constant).cka is None
    assert _compare(np.zeros((300, 4)), constant).cosine is None


def test_a_constant_dimension_of_the_base_is_left_out_of_the_mean() -> None:
    base, other = _related()
    longer = np.concatenate([base, np.full((300, 1), 0.1)], axis=1)
    assert _compare(longer, other).r2 == pytest.approx(_compare(base, other).r2, abs=1e-12)


def test_other_dimensions_have_no_cosine() -> None:
    assert _compare(*_related()).cosine is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2 * HALF), max_size=6))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    base, other = _draw(0, 300, 4) * 0.01 + 1000, _draw(1, 300, 4) - 50
    found = _compare(base, other, tuple(sorted([*cuts, HALF])))
    whole = _compare(base, other)
    assert (found.r2, found.cka) == pytest.approx((whole.r2, whole.cka), abs=1e-9)
    assert found.cosine == pytest.approx(whole.cosine, abs=1e-12)


def test_sums_of_hours_are_as_large_as_those_of_minutes() -> None:
    products = Products(4, 3)
    for seed in range(50):
        products.add(_draw(seed, 20, 4), _draw(seed + 100, 20, 3))
    held = [value for value in vars(products).values() if isinstance(value, np.ndarray)]
    assert sum(each.size for each in held) == 4 + 3 + 4 * 3
    assert all(each.base is None for each in held)
    assert products.count == 1000


def test_products_of_two_sets_of_rows_add_up() -> None:
    one, other, whole = Products(3, 3), Products(3, 3), Products(3, 3)
    rows = _draw(0, 60, 3) + 10
    one.add(rows[:25], rows[:25])
    other.add(rows[25:], rows[25:])
    whole.add(rows, rows)
    np.testing.assert_allclose((one + other).matrix, whole.matrix, rtol=1e-12)
    np.testing.assert_allclose((one + Products(3, 3)).left, one.left)
