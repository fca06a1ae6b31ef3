"""The published schema holds for what is really written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator

from mergekit_speech.reports.bench import bench
from mergekit_speech.reports.schema import results_schema
from tests.reports.documents import analysis_document, bench_document, eventful, sweep_document
from tests.superb.corpus import report


@pytest.fixture(scope="module")
def validator() -> Validator:
    schema = results_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def kinds() -> list[Callable[[], dict[str, Any]]]:
    def attached() -> dict[str, Any]:
        return {**bench_document(), "attached": [sweep_document(), analysis_document()]}

    def plain() -> dict[str, Any]:
        return bench_document(report({"base": {"ks": {"acc": [0.5]}}}, "speech-ft"))

    return [bench_document, lambda: bench_document(eventful()), sweep_document, analysis_document, attached, plain]


@pytest.mark.parametrize("make", kinds())
def test_documents_of_every_kind_are_valid(validator: Validator, make: Callable[[], dict[str, Any]]) -> None:
    validator.validate(json.loads(json.dumps(make(), allow_nan=False)))


def test_results_of_a_real_bench_are_valid(validator: Validator, corpus: Path, tmp_path: Path) -> None:
    bench(["logmel", "fbank"], data=corpus, tasks=["ks", "pr"], output=tmp_path / "report", seeds=[0, 1], steps=4)
    validator.validate(json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change", [{"kind": "benches"}, {"version": 1}, {"seeds": ["0"]}, {"more": 1}, {"tasks": None}]
)
def test_something_else_is_not(validator: Validator, change: dict[str, Any]) -> None:
    assert not validator.is_valid({**bench_document(), **change})
