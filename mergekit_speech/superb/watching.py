"""What a bench tells whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mergekit_speech.superb.results import Failure, ProbeResult
from mergekit_speech.training.events import Observer
from mergekit_speech.training.settings import Goal


class Watcher(Protocol):
    """Watches a bench; called between its steps, so it must be quick."""

    def encoding(self, encoder: str, clips: int) -> None:
        """Hidden states of that many clips are about to be computed."""

    def encoded(self) -> None:
        """Those of one clip are there."""

    def crowded(self, encoder: str, task: str, clips: int) -> None:
        """Hidden states of that many of the task's clips are beyond the budget and are computed again each time."""

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        """A probe is about to be trained; returns who is to watch it."""

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        """A probe is done, or was done by the bench that this one resumes; `done` of `total` probes are."""

    def failed(self, failure: Failure) -> None:
        """A probe, or all of a task, did not come to an end; the others go on."""

    def damaged(self, path: Path) -> None:
        """A file of hidden states was damaged; it is deleted, and they are computed again."""


class Silent:
    """Watches without a word."""

    def encoding(self, encoder: str, clips: int) -> None:
        """See `Watcher.encoding`."""

    def encoded(self) -> None:
        """See `Watcher.encoded`."""

    def crowded(self, encoder: str, task: str, clips: int) -> None:
        """See `Watcher.crowded`."""

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        """See `Watcher.probing`."""
        return ()

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        """See `Watcher.probed`."""

    def failed(self, failure: Failure) -> None:
        """See `Watcher.failed`."""

    def damaged(self, path: Path) -> None:
        """See `Watcher.damaged`."""
