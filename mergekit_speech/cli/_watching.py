"""How a bench goes, on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mergekit_speech.cli.output import Output
from mergekit_speech.errors import DataError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mergekit_speech.superb.results import Failure, ProbeResult
    from mergekit_speech.training.events import Observer
    from mergekit_speech.training.settings import Goal


class BenchWatcher:
    """Shows a line for all probes and one for what goes on; logs each finished probe."""

    def __init__(self, out: Output, progress: Progress) -> None:
        """Shows lines on a live display; see `cli.output.Output.progress`."""
        self._out, self._progress = out, progress
        self._all: TaskID | None = None
        self._encoding: TaskID | None = None

    def encoding(self, encoder: str, clips: int) -> None:
        """See `Watcher.encoding`."""
        self._clear()
        self._encoding = self._progress.add_task(f"{encoder}: hidden states", total=clips)

    def encoded(self) -> None:
        """See `Watcher.encoded`."""
        if self._encoding is not None:
            self._progress.advance(self._encoding)

    def crowded(self, encoder: str, task: str, clips: int) -> None:
        """See `Watcher.crowded`."""
        self._out.log(
            f"{encoder}: hidden states of {clips} clips of {task} do not fit into --cache and are computed again each"
            " time, which is slow"
        )

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        """See `Watcher.probing`."""
        from mergekit_speech.training.progress import ProgressLine

        self._clear()
        return [ProgressLine(self._progress, f"{encoder}: {task}, seed {seed}", goal)]

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        """See `Watcher.probed`."""
        if self._all is None:
            self._all = self._progress.add_task("probes")
        self._progress.update(self._all, completed=done, total=total)
        figures = ", ".join(f"{name} {100 * value:.2f} %" for name, value in result.test.items())
        step = f"step {', '.join(map(str, result.best_steps))}, " if result.best_steps else ""
        how = "taken over" if resumed else f"{step}{result.seconds:.0f} s"
        self._out.log(f"{done}/{total}  {result.encoder}: {result.task}, seed {result.seed}: {figures} ({how})")

    def failed(self, failure: Failure) -> None:
        """See `Watcher.failed`."""
        self._out.log(f"failed: {failure.message}")

    def damaged(self, path: Path) -> None:
        """See `Watcher.damaged`."""
        self._out.log(f"{path} was damaged and is deleted: its hidden states are computed again")

    def _clear(self) -> None:
        for line in self._progress.task_ids:
            if line != self._all:
                self._progress.remove_task(line)


def refuse_failures(failures: Sequence[Failure]) -> None:
    """Says, once everything else is shown, that not all came to an end.

    Raises:
        DataError: Something failed.
    """
    if failures:
        raise DataError(
            f"{len(failures)} of what was to be probed failed, the first: {failures[0].message}; all else is in the"
            " report, and --resume --overwrite tries these again"
        )
