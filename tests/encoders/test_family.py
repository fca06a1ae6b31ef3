"""What the toolkit knows of each family."""

from __future__ import annotations

import pytest
import transformers

from mergekit_speech.encoders.family import families, family_of
from mergekit_speech.errors import CheckpointError
from tests.conftest import FAMILIES


def test_families_are_known_by_their_model_type() -> None:
    assert {name: family.model_type for name, family in families().items()} == {name: name for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_family_names_a_class_and_its_downsampler(name: str) -> None:
    family = families()[name]
    model_class = getattr(transformers, family.model_class)
    assert model_class.config_class.model_type == name
    assert family.downsampler == "feature_extractor."
    assert family.never_merged


@pytest.mark.parametrize("model_type", ["bert", None, ["hubert"]])
def test_unknown_family_lists_the_known_ones(model_type: object) -> None:
    with pytest.raises(CheckpointError) as caught:
        family_of(model_type, "here/config.json")
    assert str(caught.value) == (
        f"here/config.json: model_type {model_type!r} is not a speech encoder of this toolkit;"
        " known: hubert, wav2vec2, wavlm"
    )
