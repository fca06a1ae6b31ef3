"""Keeps the run that another one replaces, until that one has ended well."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.training.run_lock import LOCK, OWNER

KEPT, MOVING = "replaced", "replaced.partial"
RECORD = "record.json"


@dataclass(frozen=True)
class ReplacedRun:
    """The run that stood in a folder before the one that stands there now.

    Attributes:
        folder: The run folder.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self.folder / KEPT

    @property
    def left_half_way(self) -> bool:
        """Whether a process was killed while it put the run aside or brought it back."""
        return self._moving.is_dir() or (self.path.is_dir() and not (self.folder / RECORD).is_file())

    def put_aside(self) -> None:
        """Empties the folder for another run; one that stood in for an earlier one without ending goes for good."""
        if self.path.is_dir():
            self._clear()
            return
        self._moving.mkdir()
        for child in self._others():
            child.rename(self._moving / child.name)
        self._moving.rename(self.path)

    def bring_back(self) -> None:
        """Puts the run back to where it was, in place of whatever stands there."""
        if self.path.is_dir():
            # Without a record nobody takes what is half cleared for a run.
            (self.folder / RECORD).unlink(missing_ok=True)
            self._clear()
            self.path.rename(self._moving)
        for child in self._moving.iterdir():
            child.rename(self.folder / child.name)
        self._moving.rmdir()

    def drop(self) -> None:
        """Deletes it, if there is one."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _moving(self) -> Path:
        return self.folder / MOVING

    def _others(self) -> list[Path]:
        return [child for child in self.folder.iterdir() if child.name not in (LOCK, OWNER, KEPT, MOVING)]

    def _clear(self) -> None:
        for child in self._others():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
