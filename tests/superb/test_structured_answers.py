"""A bench of tasks whose answers are no label of the whole clip, on real recordings: a few clips, a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.registry import TASKS
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.results import ProbeResult
from mergekit_speech.superb.settings import Overrides
from tests.tasks.few import few_conversations, few_orders, few_speakers, few_words

FEW = Overrides(steps=2, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=1)


def probe(data: Path, task: str, overrides: Overrides = FEW) -> ProbeResult:
    (result,) = run_bench(["logmel"], data, [task], seeds=(0,), overrides=overrides).probes
    assert result.test == pytest.approx(TASKS.load(task).figures(result.rows))
    return result


def test_speaker_verification(speech: Path, tmp_path: Path) -> None:
    result = probe(few_speakers(speech, tmp_path), "asv")
    assert len(result.rows["score"]) == 12 * 11 / 2
    assert 0 <= result.test["eer"] <= 1
    assert 0 < result.test["min_dcf"] <= 1
    assert len(np.unique(result.rows["group"])) == 4


def test_diarization(speech: Path, tmp_path: Path) -> None:
    result = probe(few_conversations(speech, tmp_path), "sd")
    assert result.rows["meeting"].tolist() == [False, False, True, True]
    assert 0 < result.test["der"] < 2
    assert 0 < result.test["der_ami"] < 2


def test_intents(speech: Path, tmp_path: Path) -> None:
    result = probe(few_orders(speech, tmp_path), "ic")
    assert len(result.rows["slots"]) == 4
    assert 0 <= result.test["acc"] <= result.test["slot_acc"] < 1


def test_slot_filling(speech: Path, tmp_path: Path) -> None:
    result = probe(few_orders(speech, tmp_path), "sf")
    assert 0 <= result.test["slot_type_f1"] < 1
    assert result.test["slot_value_cer"] > 0


def test_query_by_example_trains_nothing_and_finds_words(speech: Path, tmp_path: Path) -> None:
    result = probe(few_words(speech, tmp_path), "qbe", Overrides())
    assert result.settings is None
    assert sum(result.layer_weights) == 1
    assert result.rows["scores"].shape == (8, 28)
    # Four clips of 28 hold the word: chance is about 1 in 6.
    assert result.test["map"] > 0.3
