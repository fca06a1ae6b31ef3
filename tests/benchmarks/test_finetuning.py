"""The benchmark of fine-tuning, on a model of toy size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.finetuning import LEFT_OUT, Pace, configure, count_flops, join_sentences, measure, pace_of

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


def test_sentences_of_a_speaker_are_joined_and_none_is_lost(tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "path": write_tone(tmp_path, number), "speaker": f"s{number % 2}", "phones": [str(number)]}
        for number in range(20)
    ]
    (tmp_path / "joined").mkdir()
    joined = join_sentences(rows, tmp_path / "joined")
    assert sorted(int(phone) for row in joined for phone in row["phones"]) == list(range(20))
    assert {len({int(phone) % 2 for phone in row["phones"]}) for row in joined} == {1}
    assert len({row["duration"] for row in joined}) > 1
    for row in joined:
        assert soundfile.info(row["path"]).duration == pytest.approx(row["duration"])
        assert row["duration"] == pytest.approx(sum(0.1 + int(phone) / 100 for phone in row["phones"]))


def write_tone(folder: Path, number: int) -> str:
    path = folder / f"{number}.wav"
    soundfile.write(path, np.zeros(1600 + 160 * number, np.float32), 16_000)
    return str(path)


def test_both_programs_train_the_same_model(speech: Path, tmp_path: Path) -> None:
    found = measure(speech, tmp_path, LEFT_OUT + 1, 1, "fp32", SIZES)
    speeds = found["audio_seconds_per_second"]
    assert found["times_faster"] == pytest.approx(speeds["msm"] / speeds["transformers"], abs=0.01)
    assert min(speeds.values()) > 0
    assert 0 <= found["waited"] <= 1
    assert found["model_flops_use"]["msm"] > 0
