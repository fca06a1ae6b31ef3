"""Merging encoders and then converting the result gives what converting them and then merging gives, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech import merge
from mergekit_speech.layouts.convert import convert
from tests.layouts.samples import KEYS, Sample, Shapes, equal, fairseq_heads, read_folder, write_folder, write_s3prl
from tests.layouts.test_convert import SAMPLES

# Two tuned encoders whose deltas agree in no sign; random strategies draw by the names of parameters.
MOVES = (0.02, -0.01)
ONE, BOTH = MOVES[:1], MOVES
FRACTIONS = st.floats(0, 1, width=16)
WAYS = st.one_of(
    st.tuples(st.just("linear"), st.just(ONE), st.fixed_dictionaries({"alpha": FRACTIONS})),
    st.tuples(st.just("linear"), st.just(BOTH), st.fixed_dictionaries({"alpha": FRACTIONS})),
    st.tuples(st.just("slerp"), st.just(ONE), st.fixed_dictionaries({"t": FRACTIONS})),
    st.tuples(st.just("ties"), st.just(BOTH), st.fixed_dictionaries({"density": FRACTIONS})),
    st.tuples(st.just("lines"), st.just(BOTH), st.fixed_dictionaries({"scale": FRACTIONS, "increase": FRACTIONS})),
    st.tuples(st.just("dare_ties"), st.just(BOTH), st.fixed_dictionaries({"density": FRACTIONS})),
    st.tuples(st.just("model_stock"), st.just(BOTH), st.just({})),
)
Way = tuple[str, Sequence[float], dict[str, Any]]
Writer = Callable[[Path, Sample], Path]


def check_either_order(sample: Sample, way: Way, root: Path, write: Writer, layout: str) -> Path:
    """Writes encoders, goes through another layout before and after merging, and gives the merged file for s3prl."""
    strategy, moves, params = way
    inputs = [write(root / f"{number}", replace(sample, moved=moved)) for number, moved in enumerate((0.0, *moves))]
    merge(inputs[0], inputs[1:], strategy=strategy, output=root / "merged", seed=7, **params)
    convert(root / "merged", root / "merged-converted", "s3prl")

    converted = [root / f"{path.name}-converted" for path in inputs]
    for path, output in zip(inputs, converted, strict=True):
        convert(path, output, layout)
    merge(converted[0], converted[1:], strategy=strategy, output=root / "other", seed=7, **params)
    convert(root / "other", root / "other-converted", "s3prl")

    assert equal(read_folder(root / "merged"), read_folder(root / "other"))
    assert (root / "merged" / "config.json").read_text() == (root / "other" / "config.json").read_text()
    one, other = (torch.load(root / f"{name}-converted", weights_only=True) for name in ("merged", "other"))
    states = [{name: each.numpy() for name, each in found.pop(KEYS[sample.family]).items()} for found in (one, other)]
    assert equal(*states)
    # What this toolkit keeps there tells of the inputs' paths.
    assert {**one, "mergekit_speech": None} == {**other, "mergekit_speech": None}
    return root / "merged-converted"


@settings(deadline=None, max_examples=12)
@given(sample=SAMPLES, way=WAYS, task=st.booleans(), old_weight_norm=st.booleans())
def test_directories(
    sample: Sample, way: Way, task: bool, old_weight_norm: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    heads: Shapes = {"lm_head.weight": (3, sample.hidden)} if task else {}
    prefix = f"{sample.family}." if task else ""

    def write(path: Path, each: Sample) -> Path:
        return write_folder(path, each, prefix=prefix, heads=heads, old_weight_norm=old_weight_norm)

    check_either_order(sample, way, tmp_path_factory.mktemp("order"), write, "s3prl")


@settings(deadline=None, max_examples=12)
@given(sample=SAMPLES.filter(lambda each: each.family != "decoar2"), way=WAYS)
def test_files_of_s3prl(sample: Sample, way: Way, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("order")
    path = check_either_order(sample, way, root, write_s3prl, "transformers")
    state = torch.load(path, weights_only=True)[KEYS[sample.family]]
    assert fairseq_heads(sample).keys() <= state.keys()
