"""Figures of a bench."""

from __future__ import annotations

import json

import pytest

from mergekit_speech.superb.results import ProbeResult
from tests.superb.corpus import report, result


def test_values_follow_the_seeds() -> None:
    found = report({"base": {"ks": {"acc": [0.5, 0.7]}}, "tuned": {"ks": {"acc": [0.6, 0.4]}}}, "speech-ft")
    assert found.values("tuned", "ks", "acc") == [0.6, 0.4]


def test_result_survives_json_under_another_label() -> None:
    known = result("base", "ks", 1, acc=0.5)
    again = ProbeResult.read(json.loads(json.dumps(known.document())), "other")
    assert again.encoder == "other"
    assert again.document() == known.document() | {"encoder": "other"}
    assert again.settings == known.settings


def test_something_else_is_no_result() -> None:
    with pytest.raises(KeyError):
        ProbeResult.read({}, "base")
