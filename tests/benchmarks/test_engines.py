"""The comparison of engines: its reduced data, its statistics and its bars."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.engines import BARS, MOST, PLAN, agreement, compare, encode_shares, overrides, reached, reduce_data
from mergekit_speech.superb.s3prl_engine.forms import FORMS
from tests.speech.corpus import write_manifest
from tests.superb.corpus import result


def test_every_task_of_s3prl_has_numbers_and_a_bar() -> None:
    assert PLAN.keys() == BARS.keys() == FORMS.keys()
    chosen = overrides(["pr"])
    assert chosen.evaluate_every == {"pr": PLAN["pr"].steps // 2}


def test_reduced_data_keep_all_training_clips_and_no_fold(tmp_path: Path) -> None:
    rows = [
        {"split": split, "label": "a", "fold": 1} for split in ("train", "valid", "test", "ami_test") for _ in range(90)
    ]
    write_manifest(tmp_path / "data", "er", rows)
    reduce_data(tmp_path / "data", tmp_path / "work", "er")
    kept = [json.loads(line) for line in (tmp_path / "work" / "er" / "manifest.jsonl").read_text().splitlines()]
    counts = {split: sum(row["split"] == split for row in kept) for split in ("train", "valid", "test", "ami_test")}
    assert counts["train"] == 90
    assert counts["ami_test"] == 0
    assert all(0 < counts[split] <= most for split, most in MOST.items())
    assert "fold" not in kept[0]
    assert kept[0]["path"] == str((tmp_path / "data" / "audio" / "clip1.wav").resolve())


@pytest.mark.parametrize(
    ("native", "s3prl", "agrees"),
    [
        ([0.5, 0.6, 0.7], [0.55, 0.6, 0.72], True),
        ([0.5, 0.51, 0.52], [0.7, 0.71, 0.72], False),
        ([1.0, 1.0], [1.0, 1.0], True),
        ([1.0, 1.0], [0.9, 0.9], False),
    ],
)
def test_agreement(native: list[float], s3prl: list[float], agrees: bool) -> None:
    assert agreement(native, s3prl)["agrees"] is agrees


def test_agreement_is_an_interval_of_the_difference() -> None:
    found = agreement([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    # Both variances are 1, so that the standard error is sqrt(2/3) with 4 degrees of freedom.
    assert found["interval"] == pytest.approx([-2.776445 * (2 / 3) ** 0.5, 2.776445 * (2 / 3) ** 0.5], abs=1e-5)


def test_comparison_bears_the_encoding() -> None:
    native = [replace(result("e", "ks", seed, acc=0.5), seconds=1.0) for seed in (0, 1)]
    s3prl = [replace(probe, engine="s3prl", seconds=12.0) for probe in native]
    found = compare([*native, *s3prl], {"ks": 0.5})
    assert found["seconds"] == {"native": 1.5, "s3prl": 12.0}
    assert found["times_faster"] == 8.0
    assert reached("ks", found)
    assert not reached("ks", {**found, "times_faster": 4.9})


def test_encoding_is_shared_by_audio_and_by_seed(tmp_path: Path) -> None:
    write_manifest(tmp_path, "ks", [{"duration": 1.0}])
    write_manifest(tmp_path, "pr", [{"duration": 3.0}])
    assert encode_shares(tmp_path, ["ks", "pr"], 2, 8.0) == {"ks": 1.0, "pr": 3.0}
    assert encode_shares(tmp_path, ["ks", "pr"], 2, 0.0) == {"ks": 1.0, "pr": 3.0}
