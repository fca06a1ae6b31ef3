"""What the process makes of what goes wrong in it."""

from __future__ import annotations

from typing import Any

import pytest

from mergekit_speech.errors import DataError, EngineError
from mergekit_speech.superb.named_encoder import read_encoders
from mergekit_speech.superb.s3prl_engine import probing, stage, worker
from mergekit_speech.superb.s3prl_engine.job import Fault, Job, Ready

JOB = Job(None, None, None, 0)  # type: ignore[arg-type]


def fail(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> Fault:
    def probe(job: Job, send: Any) -> None:
        raise fault

    monkeypatch.setattr(probing, "probe", probe)
    answer = worker._do(JOB, print)
    assert isinstance(answer, Fault)
    assert "Traceback" in answer.trace
    return answer


def test_errors_meant_for_users_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = DataError("no audio")
    assert fail(monkeypatch, fault).error is fault


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    error = fail(monkeypatch, ModuleNotFoundError("No module named 'librosa'", name="librosa")).error
    assert isinstance(error, EngineError)
    assert str(error) == (
        "s3prl needs the package 'librosa', which is not installed: pip install 'mergekit-speech[superb]'"
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ValueError("num_samples\n  should be positive"), "ValueError: num_samples should be positive"),
        (AssertionError(), "AssertionError: it does not say why"),
    ],
)
def test_whatever_s3prl_raises(fault: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(fail(monkeypatch, fault).error) == f"s3prl failed ({said})"


def test_an_encoder_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[object] = []
    monkeypatch.setattr(stage, "prepare", prepared.append)
    (named,) = read_encoders(["fbank"])
    assert worker._do(named, print) == Ready()
    assert prepared == [named]
