"""Picking points by validation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from mergekit_speech.superb.results import ProbeResult
from mergekit_speech.superb.score import superb_score
from mergekit_speech.sweeping.picking import pick, validation_scores
from tests.superb.corpus import report, result

TASKS = report({"base": {"pr": {"per": [0.5]}, "ks": {"acc": [0.5]}}}, "speech-ft").tasks


def probe(label: str, task: str, seed: int, valid: Mapping[str, float], **test: float) -> ProbeResult:
    return replace(result(label, task, seed, **test), valid=valid)


def probes(figures: Mapping[str, tuple[float, float]]) -> list[ProbeResult]:
    return [
        each
        for label, (per, acc) in figures.items()
        for each in (probe(label, "pr", 0, {"per": per}), probe(label, "ks", 0, {"acc": acc}))
    ]


def test_scores_are_means_of_superb_points() -> None:
    found = validation_scores(probes({"base": (0.5, 0.6)}), TASKS, "speech-ft")
    assert found == {"base": pytest.approx(superb_score({"pr": {"per": 0.5}, "ks": {"acc": 0.6}}).value)}


def test_seeds_are_averaged() -> None:
    both = [probe("base", "ks", seed, {"acc": acc}) for seed, acc in ((0, 0.4), (1, 0.8))]
    assert validation_scores(both, TASKS, "speech-ft") == pytest.approx(
        validation_scores([probe("base", "ks", 0, {"acc": 0.6})], TASKS, "speech-ft")
    )


def test_tasks_outside_of_superb_count_by_their_first_metric() -> None:
    tasks = [replace(task, name=f"my-{task.name}") for task in TASKS]
    found = [probe("base", "my-pr", 0, {"per": 0.25}), probe("base", "my-ks", 0, {"acc": 0.5})]
    assert validation_scores(found, tasks, "speech-ft") == {"base": pytest.approx(625)}


def test_test_figures_do_not_count() -> None:
    valid = probes({"base": (0.5, 0.5), "a": (0.4, 0.5), "b": (0.45, 0.5)})
    turned = [replace(each, test={name: 1 - value for name, value in each.valid.items()}, rows={}) for each in valid]
    assert validation_scores(valid, TASKS, "speech-ft") == validation_scores(turned, TASKS, "speech-ft")
    picked = pick(validation_scores(turned, TASKS, "speech-ft"), ["base", "a", "b"])
    assert picked is not None
    assert picked.label == "a"
    scores = [superb_score({"pr": {"per": per}, "ks": {"acc": 0.5}}).value for per in (0.4, 0.5)]
    assert picked.why == f"{scores[0]:.1f} points on validation clips, the most of 3; base: {scores[1]:.1f}"


def test_points_that_lack_a_probe_are_no_candidates() -> None:
    found = [*probes({"base": (0.5, 0.5)}), probe("a", "pr", 0, {"per": 0.0})]
    assert list(validation_scores(found, TASKS, "speech-ft")) == ["base"]


def test_tasks_without_validation_clips_do_not_count() -> None:
    found = [*probes({"base": (0.5, 0.5)}), probe("base", "ks", 1, {"acc": math.nan}), probe("base", "ks", 2, {})]
    assert validation_scores(found, TASKS, "speech-ft") == validation_scores(found[:2], TASKS, "speech-ft")


def test_of_equal_points_the_first_is_picked() -> None:
    picked = pick({"a": 1.0, "base": 1.0}, ["base", "a"])
    assert picked is not None
    assert (picked.label, picked.why) == ("base", "1.0 points on validation clips, the most of 2")
    assert pick({}, ["base"]) is None
