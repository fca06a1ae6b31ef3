"""Which parameters belong to a group."""

from __future__ import annotations

import pytest

from mergekit_speech.merging.filters import matches
from mergekit_speech.sweeping.groups import THIRDS, group_filter


@pytest.mark.parametrize("layers", [1, 2, 3, 5, 12, 24])
def test_thirds_hold_each_layer_once(layers: int) -> None:
    names = [f"encoder.layers.{layer}.attention.k_proj.weight" for layer in range(layers)]
    held = [[name for name in names if matches(group_filter(third, names), name)] for third in THIRDS]
    assert [name for part in held for name in part] == names
    assert max(map(len, held)) - min(map(len, held)) <= 1


def test_thirds_hold_nothing_beside_layers() -> None:
    names = ["encoder.layers.0.a", "encoder.layers.1.a", "encoder.layers.10.a", "encoder.layer_norm.weight"]
    held = {third: [name for name in names if matches(group_filter(third, names), name)] for third in THIRDS}
    assert held == {"lower": names[:2], "middle": [], "upper": [names[2]]}
    assert not matches(group_filter("lower", ["a.weight"]), "a.weight")


def test_parts_are_those_of_recipes() -> None:
    assert matches(group_filter("attention", []), "encoder.layers.3.attention.q_proj.bias")
