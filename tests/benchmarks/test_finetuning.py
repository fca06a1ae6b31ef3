"""The benchmark of fine-tuning, on a model of toy size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.finetuning import LEFT_OUT, Pace, configure, count_flops, measure, pace_of

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def test_the_first_steps_are_left_out() -> None:
    assert pace_of([(10.0, 5.0), (20.0, 10.0), (21.0, 14.0), (23.0, 20.0)]) == Pace(10.0, 3.0)
    assert Pace(10.0, 4.0).speed == 2.5


def test_operations_are_those_of_the_model() -> None:
    one = count_flops(configure(10, {**SIZES, "num_hidden_layers": 1}), 2.0)
    three = count_flops(configure(10, {**SIZES, "num_hidden_layers": 3}), 2.0)
    frames, dim = 99, 32
    # Of a layer, at each frame: linear maps, and two products with all frames; once forwards, twice backwards.
    products = (4 * dim * dim + 2 * dim * 64) + 2 * frames * dim
    assert (three - one) / 2 == 3 * 2 * products * frames / 2.0


def test_both_programs_train_the_same_model(speech: Path, tmp_path: Path) -> None:
    found = measure(speech, tmp_path, LEFT_OUT + 1, 1, "fp32", SIZES)
    speeds = found["audio_seconds_per_second"]
    assert found["times_faster"] == pytest.approx(speeds["msm"] / speeds["transformers"], abs=0.01)
    assert min(speeds.values()) > 0
    assert 0 <= found["waited"] <= 1
    assert found["model_flops_use"]["msm"] > 0
