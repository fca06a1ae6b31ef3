"""Pairing stops on any difference, and lists all of them."""

from __future__ import annotations

import pytest

from mergekit_speech.errors import PairingError
from mergekit_speech.merging.pairing import check_pairs, is_kept
from mergekit_speech.shards.header import Parameter


def parameters(**shapes: tuple[int, ...]) -> dict[str, Parameter]:
    return {name: Parameter(name, "F32", shape) for name, shape in shapes.items()}


def test_equal_sets_pair_in_any_order_and_format() -> None:
    base = parameters(a=(2,), b=(3,))
    check_pairs(base, {"T": {"b": Parameter("b", "BF16", (3,)), "a": base["a"]}})


def test_every_difference_is_listed() -> None:
    base = parameters(a=(2,), b=(3,), c=(1,), d=(4,)) | {"e": Parameter("e", "I64", (1,))}
    tuned = parameters(b=(4,), x=(1,), y=(1,), d=(2, 2), e=(1,))
    with pytest.raises(PairingError) as caught:
        check_pairs(base, {"T": tuned, "U": base})
    assert str(caught.value) == (
        "T lacks 2 of the base's parameters: a, c; T has 2 that the base lacks: x, y; "
        "shapes differ between the base and T: b (3,) against (4,), d (4,) against (2, 2); "
        "numbers differ in kind between the base and T: e I64 against F32; "
        "give encoders of one base, or name what to keep from it (--keep GLOB)"
    )


def test_what_is_kept_needs_no_counterpart() -> None:
    check_pairs(parameters(a=(1,), b=(2,)), {"T": parameters(a=(1,), b=(3,), bx=(1,))}, ["b*"])


def test_pattern_that_matches_nothing() -> None:
    with pytest.raises(PairingError) as caught:
        check_pairs(parameters(head=(1,)), {"T": parameters(head=(1,))}, ["haed"])
    assert str(caught.value) == "expected a parameter that matches keep 'haed' (did you mean 'head'?), came none"


def test_patterns_are_globs() -> None:
    assert is_kept("feature_extractor.0.weight", ["feature_*"])
    assert not is_kept("encoder.feature_", ["feature_*"])
