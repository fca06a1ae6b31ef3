"""Runs logged to experiment trackers, which small modules of their names stand in for."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accelerate import PartialState

from mergekit_speech.errors import OutputError, SettingsError
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.loggers import TRACKERS, check_loggers, new_loggers
from mergekit_speech.training.run_folder import RunFolder

FACTS = {"task": "ks", "settings": {"steps": 2, "method": {"l2": None}}, "tasks": ["a", "b"]}
FLAT = {"task": "ks", "settings.steps": 2, "settings.method.l2": "None", "tasks": "['a', 'b']"}
STEP = StepEvent(1, 0.5, 0.1, 2.0, audio_seconds=8.0, seconds=4.0, memory=3_000_000_000)
EVALUATION = EvaluationEvent(1, {"acc": 0.75}, best=True, base={"weight_distance": 0.01, "feature_cosine": 0.99})
SCALARS = {
    "train/loss": 0.5,
    "train/learning_rate": 0.1,
    "train/gradient_norm": 2.0,
    "train/audio_per_second": 2.0,
    "train/memory_gb": 3.0,
}
JUDGED = {"valid/acc": 0.75, "base/weight_distance": 0.01, "base/feature_cosine": 0.99}

LIKE_WANDB = """
calls = []

class Config:
    def update(self, values, **options):
        calls.append(("config", values))

class Run:
    def log(self, values, step=None):
        calls.append(("log", step, values))

    def finish(self):
        calls.append(("finish",))

config = Config()

def init(**options):
    print("welcome")
    calls.append(("init", options))
    return Run()
"""
LIKE_MLFLOW = """
from types import SimpleNamespace

calls = []
limits = SimpleNamespace(MAX_PARAM_VAL_LENGTH=500, MAX_PARAMS_TAGS_PER_BATCH=100)
utils = SimpleNamespace(validation=limits)

def search_experiments(filter_string):
    return []

def create_experiment(name, **options):
    return name

def start_run(run_id, experiment_id, run_name, **options):
    print("welcome")
    calls.append(("init", {"project": experiment_id, "name": run_name, "id": run_id}))
    return SimpleNamespace(info=SimpleNamespace(run_id=run_id or "1234abcd"))

def log_params(values):
    calls.append(("config", values))

def log_metrics(values, step):
    calls.append(("log", step, values))

def end_run():
    calls.append(("finish",))
"""
SOURCES = {"wandb": LIKE_WANDB, "trackio": LIKE_WANDB, "mlflow": LIKE_MLFLOW}


@pytest.fixture(params=TRACKERS)
def tracker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module that stands in for each tracker in turn; its `calls` are what was asked of it."""
    # As the training loop does.
    PartialState()
    name = str(request.param)
    for variable in ("WANDB_PROJECT", "TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{name}.py").write_text(SOURCES[name])
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield importlib.import_module(name)
    del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that has just begun."""
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def observer(tracker: Any, folder: RunFolder) -> Observer:
    check_loggers([tracker.__name__])
    (made,) = new_loggers([tracker.__name__] * 2, folder, FACTS)
    return made


def record(watching: Observer, done: int = 0) -> None:
    watching.start(done, 2)
    watching.stepped(STEP)
    watching.evaluated(EVALUATION)
    watching.close()


def test_a_tracker_gets_facts_steps_and_validations(
    tracker: Any, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    record(observer(tracker, folder))
    (begun, options), *rest = tracker.calls
    assert (begun, options["project"]) == ("init", "mergekit-speech")
    assert options["name"].startswith("run")
    assert rest == [("config", FLAT), ("log", 1, SCALARS), ("log", 1, JUDGED), ("finish",)]
    # Stdout belongs to the command's result.
    assert (capsys.readouterr().out, [path.name for path in folder.path.iterdir()]) == ("", [f"{tracker.__name__}.id"])


def test_a_resumed_run_goes_on_in_the_trackers_own_and_a_new_one_does_not(tracker: Any, folder: RunFolder) -> None:
    for done in (0, 1, 0):
        record(observer(tracker, folder), done)
    first, second, third = (call[1] for call in tracker.calls if call[0] == "init")
    if tracker.__name__ == "mlflow":
        assert (first["id"], second["id"], third["id"]) == (None, "1234abcd", None)
    else:
        which = "id" if tracker.__name__ == "wandb" else "name"
        assert first[which] == second[which] != third[which]
        assert second["resume"] == "allow"
    assert [call[0] for call in tracker.calls].count("config") == 2


def test_a_tracker_that_refuses_the_run_is_one_line(
    tracker: Any, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr(tracker, "start_run" if tracker.__name__ == "mlflow" else "init", refuse)
    with pytest.raises(OutputError) as caught:
        observer(tracker, folder).start(0, 2)
    assert str(caught.value) == (
        f"cannot log to {tracker.__name__} (no route to host): mend its settings, or leave it out of --log-to"
    )


def test_a_tracker_that_fails_in_the_middle_does_not_end_the_run(
    tracker: Any, folder: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*values: Any, **options: Any) -> None:
        raise ConnectionError

    watching = observer(tracker, folder)
    watching.start(0, 2)
    if tracker.__name__ == "mlflow":
        monkeypatch.setattr(tracker, "log_metrics", fail)
    else:
        monkeypatch.setattr(tracker.Run, "log", fail)
    with caplog.at_level(logging.WARNING):
        watching.stepped(STEP)
        watching.evaluated(EVALUATION)
        watching.close()
    assert caplog.messages == [f"{tracker.__name__} fails (ConnectionError): the run goes on without it"]


def test_closing_what_never_started_is_harmless(tracker: Any, folder: RunFolder) -> None:
    observer(tracker, folder).close()
    assert tracker.calls == []


def test_names_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        check_loggers(["tensorboard", "wandbb"])
    assert str(caught.value) == (
        "expected loggers of tensorboard, wandb, mlflow, trackio, came 'wandbb' (did you mean 'wandb'?): correct it"
    )
    monkeypatch.setattr("mergekit_speech.training.loggers.find_spec", lambda name: None)
    with pytest.raises(SettingsError) as caught:
        check_loggers(["mlflow"])
    assert str(caught.value) == (
        "logging to mlflow needs its package, which is not installed: pip install 'mergekit-speech[mlflow]'"
    )
