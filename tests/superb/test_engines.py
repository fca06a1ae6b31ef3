"""Choosing what trains probes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import TASKS
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.engines import engine_versions, open_engine
from tests.speech.corpus import save, tone, write_manifest
from tests.superb.s3prl_engine.test_package import install


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_S3PRL", str(install(tmp_path / "s3prl", "0.4.18")))


def test_unknown_engine() -> None:
    with pytest.raises(SettingsError) as caught, open_engine("s3pr", []):
        pass
    assert (
        str(caught.value) == "expected an engine among native, s3prl, came 's3pr' (did you mean 's3prl'?): correct it"
    )


def test_native_needs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MSM_S3PRL", str(tmp_path))
    with open_engine("native", []) as engine:
        assert engine is None
    assert engine_versions("native") == {}


@pytest.mark.usefixtures("installed")
def test_tasks_are_looked_at_before_anything_is_trained() -> None:
    with (
        pytest.raises(SettingsError, match="came 'kss'"),
        open_engine("s3prl", [replace(TASKS.load("ks"), name="kss")]),
    ):
        pass


@pytest.mark.usefixtures("installed")
def test_query_by_example_is_the_same_and_says_whose_it_is(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for split, labels in {"query": "abab", "doc": "abab"}.items():
        for number, label in enumerate(labels):
            name = f"{split}{number}"
            save(tmp_path / "audio" / f"{name}.wav", tone(0.3, 300.0 if label == "a" else 2000.0 + 10 * number))
            rows.append({"id": name, "split": split, "label": label, "duration": 0.3})
    write_manifest(tmp_path, "qbe", rows)
    reports = {
        engine: run_bench(["fbank"], tmp_path, ["qbe"], seeds=[0], engine=engine) for engine in ("native", "s3prl")
    }
    probes = {engine: report.probes[0] for engine, report in reports.items()}
    assert probes["s3prl"].engine == "s3prl"
    assert probes["s3prl"].test == probes["native"].test
    assert reports["s3prl"].versions["s3prl"] == "0.4.18"
