"""The engine from outside: an actor plays s3prl's process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError, EngineError, SettingsError
from mergekit_speech.superb.named_encoder import read_encoders
from mergekit_speech.superb.results import ProbedEncoder, ProbeResult
from mergekit_speech.superb.s3prl_engine import engine as engine_module
from mergekit_speech.superb.s3prl_engine.engine import S3prlEngine
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.training.events import EvaluationEvent, StepEvent
from tests.superb.corpus import assignment
from tests.superb.s3prl_engine.test_package import install

ENCODER = ProbedEncoder("fbank", "fbank", "d", 2, 8, 0)


class Heard:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self, done: int, steps: int) -> None:
        self.told.append((done, steps))

    def stepped(self, event: StepEvent) -> None:
        self.told.append(event)

    def evaluated(self, event: EvaluationEvent) -> None:
        self.told.append(event)

    def close(self) -> None:
        self.told.append("closed")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3prlEngine]:
    monkeypatch.setenv("MSM_S3PRL", str(install(tmp_path, "0.4.18")))
    monkeypatch.setattr(engine_module, "WORKER", "tests.superb.s3prl_engine.actor")
    with S3prlEngine() as engine:
        yield engine


def probe(engine: S3prlEngine, data: Path, act: float, heard: Heard | None = None) -> ProbeResult:
    chosen = assignment(data, "ks", Overrides(steps=3, learning_rate=act))
    return engine.probe(read_encoders(["fbank"])[0], ENCODER, chosen, 5, [heard] if heard else [])


def test_result_is_that_of_a_native_probe(engine: S3prlEngine, corpus: Path) -> None:
    heard = Heard()
    result = probe(engine, corpus, 1.0, heard)
    assert (result.engine, result.encoder, result.task, result.seed) == ("s3prl", "fbank", "ks", 5)
    assert (result.best_steps, result.layer_weights, result.n) == ([1], [0.5, 0.5], 9)
    assert result.test == {"acc": 1 / 3}
    assert list(result.rows["answer"]) == ["low"] * 9
    assert heard.told == [
        (0, 3),
        StepEvent(1, 0.5, 1.0, 2.0, 3.0, 4.0),
        EvaluationEvent(1, {"acc": 0.25}, True),
        "closed",
    ]


def test_what_s3prl_refuses_names_the_probe(engine: S3prlEngine, corpus: Path) -> None:
    heard = Heard()
    with pytest.raises(DataError) as caught:
        probe(engine, corpus, 2.0, heard)
    assert str(caught.value) == "task 'ks', encoder 'fbank', seed 5: no audio: record some"
    assert "Traceback: here" in str(caught.value.__cause__ and caught.value.__cause__.__cause__)
    assert heard.told[-1] == "closed"
    assert probe(engine, corpus, 1.0).engine == "s3prl"


def test_death_of_the_process(engine: S3prlEngine, corpus: Path) -> None:
    with pytest.raises(EngineError) as caught:
        probe(engine, corpus, 3.0)
    assert str(caught.value) == (
        "task 'ks', encoder 'fbank', seed 5: s3prl's process ended with status 9; its last words: out of memory"
    )
    assert probe(engine, corpus, 1.0).engine == "s3prl"


def test_interrupt_ends_the_process(engine: S3prlEngine, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Heard, event: StepEvent) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Heard, "stepped", interrupt)
    heard = Heard()
    with pytest.raises(KeyboardInterrupt), engine:
        probe(engine, corpus, 1.0, heard)
    assert heard.told[-1] == "closed"
    assert engine._process is None


def test_closing_twice(engine: S3prlEngine, corpus: Path) -> None:
    probe(engine, corpus, 1.0)
    process = engine._process
    engine.close()
    engine.close()
    assert process is not None
    assert process.returncode is not None


def test_task_without_a_head_is_not_for_it(engine: S3prlEngine, corpus: Path) -> None:
    bare = replace(assignment(corpus, "ks"), settings=None)
    with pytest.raises(SettingsError, match="expected a task that trains a head, came 'ks': test it here"):
        engine.probe(read_encoders(["fbank"])[0], ENCODER, bare, 0)
