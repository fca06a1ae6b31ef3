"""Settings of pre-training, and those that make no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.pretraining.settings import EncoderShape, PretrainSettings, Round, rounds

SETTINGS = PretrainSettings()


def test_rounds_are_read_from_lists() -> None:
    assert rounds("100, 200", "4000,8000", 3) == (Round(100, 4000, None), Round(200, 8000, 3))
    assert rounds("50", "10", 9) == (Round(50, 10, None),)


@pytest.mark.parametrize("text", ["", "10,", "0", "-5", "1.5", "ten", "10;20"])
@pytest.mark.parametrize("name", ["clusters", "steps"])
def test_list_of_something_else(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        rounds(**{"clusters": "10", "steps": "10", "layer": 1, name: text})  # type: ignore[arg-type]
    assert str(caught.value) == f"{name} must be positive numbers with commas between them, got {text!r}"


def test_lists_of_different_lengths() -> None:
    with pytest.raises(SettingsError) as caught:
        rounds("10,20", "100", 1)
    assert str(caught.value) == "clusters and steps need one number a round each, got '10,20' and '100'"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rounds": ()}, "pre-training needs at least one round"),
        ({"rounds": (Round(0, 5, None),)}, "clusters must be at least 1, got 0"),
        ({"rounds": (Round(9, 0, None),)}, "steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"batch_seconds": 0.0}, "batch_seconds must be above 0, got 0.0"),
        ({"dropout": 1.0}, "dropout is a probability in [0, 1), got 1.0"),
        ({"dropout": -0.1}, "dropout is a probability in [0, 1), got -0.1"),
        ({"unmasked_weight": -1.0}, "unmasked_weight must be at least 0, got -1.0"),
        ({"seed": -1}, "seed must be between 0 and 2147483647, got -1"),
    ],
)
def test_number_out_of_range(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        replace(SETTINGS, **changes)
    assert str(caught.value) == text


@pytest.mark.parametrize("layer", [None, -1, 5])
def test_layer_that_the_encoder_lacks(layer: int | None) -> None:
    with pytest.raises(SettingsError) as caught:
        PretrainSettings(rounds=(Round(9, 5, None), Round(9, 5, layer)))
    assert str(caught.value) == (
        f"the layer to cluster must be between 0 and 4, got {layer!r}: the encoder has 4 layers"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"channels": -4}, "channels must be at least 1, got -4"),
        ({"heads": 5}, "dim must be a multiple of the 5 attention heads, got 192"),
        ({"dim": 100, "heads": 5}, "dim must be a multiple of the 16 groups of the positional convolution, got 100"),
    ],
)
def test_size_that_no_encoder_can_have(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        EncoderShape(**changes)
    assert str(caught.value) == text


def test_rate_rises_over_eight_percent_and_falls_to_nothing() -> None:
    loop = replace(SETTINGS, rounds=(Round(9, 100, None), Round(9, 50, 1)), seed=7).loop(0)
    assert (loop.steps, loop.seed) == (100, 7)
    factors = [loop.rate(step, 100) for step in range(100)]
    assert factors[3] == pytest.approx(0.5)
    assert factors[7] == 1.0
    assert factors[-1] < 0.02


def test_rounds_differ_in_their_seed() -> None:
    settings = replace(SETTINGS, rounds=(Round(9, 100, None), Round(9, 50, 1)), seed=7)
    assert (settings.loop(1).steps, settings.loop(1).seed) == (50, 8)


def test_configuration_is_hubert_bases_but_for_size() -> None:
    from transformers import HubertConfig

    ours, base = EncoderShape().config().to_dict(), HubertConfig().to_dict()
    assert {name for name in base if ours[name] != base[name]} == {
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "conv_dim",
        "num_conv_pos_embeddings",
        "attention_dropout",
        "activation_dropout",
        "feat_proj_dropout",
        "layerdrop",
    }
