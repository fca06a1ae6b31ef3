"""Where the scalars of a run go beside its own `metrics.jsonl`: TensorBoard, or an experiment tracker."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mergekit_speech.errors import OutputError, SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent
from mergekit_speech.training.recording import TensorBoard
from mergekit_speech.training.run_folder import RunFolder
from mergekit_speech.training.scalars import evaluation_scalars, step_scalars

TENSORBOARD = "tensorboard"
PROJECT = "mergekit-speech"
_log = logging.getLogger(__name__)


class Tracker:
    """Logs a run to an experiment tracker, through accelerate; a resumed run goes on in the tracker's own run.

    What a killed process logged behind its last checkpoint is logged again, with the same values. A tracker that fails
    while the run goes on is left, with a word, since a run is worth more than its log.
    """

    def __init__(self, name: str, folder: RunFolder, facts: Mapping[str, Any]) -> None:
        """Prepares.

        Args:
            name: Of the tracker, one of `TRACKERS`.
            folder: Of the run.
            facts: What the tracker is told of the run when it starts.
        """
        self._name, self._folder, self._facts = name, folder, facts
        self._tracker: Any = None

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`.

        Raises:
            OutputError: The tracker cannot be reached, or refuses the run.
        """
        path = self._folder.tracker(self._name)
        known = path.read_text(encoding="utf-8") if done and path.is_file() else None
        try:
            with _no_output():
                tracker, number = TRACKERS[self._name](self._folder.path.resolve(), known)
                if known is None:
                    tracker.store_init_configuration(dict(_flat(self._facts)))
        # Each tracker has errors of its own.
        except Exception as fault:
            raise OutputError(
                f"cannot log to {self._name} ({_first_line(fault)}): mend its settings, or leave it out of --log-to"
            ) from fault
        path.write_text(number, encoding="utf-8")
        self._tracker = tracker

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self._send(step_scalars(event), event.step)

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""
        self._send(evaluation_scalars(event), event.step)

    def close(self) -> None:
        """See `Observer.close`."""
        self._attempt(lambda tracker: tracker.finish())

    def _send(self, scalars: dict[str, float], step: int) -> None:
        self._attempt(lambda tracker: tracker.log(scalars, step=step))

    def _attempt(self, act: Callable[[Any], None]) -> None:
        if self._tracker is None:
            return
        try:
            with _no_output():
                act(self._tracker)
        # Whatever it is, such as a server that went away, it is no reason to lose the run.
        except Exception as fault:
            self._tracker = None
            _log.warning("%s fails (%s): the run goes on without it", self._name, _first_line(fault))


def _start_wandb(run: Path, known: str | None) -> tuple[Any, str]:
    from accelerate.tracking import WandBTracker

    number = known or uuid.uuid4().hex[:8]
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    tracker = WandBTracker(project, name=run.name, id=number, dir=str(run), resume="allow")
    tracker.start()
    return tracker, number


def _start_mlflow(run: Path, known: str | None) -> tuple[Any, str]:
    from accelerate.tracking import MLflowTracker

    tracker = MLflowTracker(PROJECT, run_id=known, run_name=run.name)
    tracker.start()
    return tracker, str(tracker.tracker.info.run_id)


def _start_trackio(run: Path, known: str | None) -> tuple[Any, str]:
    from accelerate.tracking import TrackioTracker

    # Trackio knows a run by its name alone.
    name = known or f"{run.name}-{uuid.uuid4().hex[:8]}"
    tracker = TrackioTracker(os.environ.get("TRACKIO_PROJECT", PROJECT), name=name, resume="allow")
    tracker.start()
    return tracker, name


TRACKERS: Mapping[str, Callable[[Path, str | None], tuple[Any, str]]] = {
    "wandb": _start_wandb,
    "mlflow": _start_mlflow,
    "trackio": _start_trackio,
}
"""By name: starts to track the run in a folder, or goes on with what the tracker calls so; gives it and that name."""
LOGGERS = (TENSORBOARD, *TRACKERS)


def check_loggers(names: Sequence[str]) -> None:
    """Refuses loggers that cannot be used, before anything is done.

    Raises:
        SettingsError: A name is unknown, or its package is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            raise SettingsError(
                f"expected loggers of {', '.join(LOGGERS)}, came {name!r}{suggestion(name, LOGGERS)}: correct it"
            )
        if find_spec(name) is None:
            raise SettingsError(
                f"logging to {name} needs its package, which is not installed: pip install 'mergekit-speech[{name}]'"
            )


def new_loggers(names: Sequence[str], folder: RunFolder, facts: Mapping[str, Any]) -> list[Observer]:
    """Gives an observer for each logger, each name once.

    Args:
        names: Some of `LOGGERS`.
        folder: Of the run.
        facts: What describes the run.
    """
    return [
        TensorBoard(folder.events) if name == TENSORBOARD else Tracker(name, folder, facts)
        for name in dict.fromkeys(names)
    ]


def _no_output() -> AbstractContextManager[object]:
    # Some greet on stdout, which belongs to the command's result.
    return redirect_stdout(sys.stderr)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names such as `settings.steps`, since not every tracker takes facts within facts."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value if isinstance(value, str | int | float | bool) else str(value)


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]
