"""Where a run keeps its last and its best state."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from mergekit_speech.errors import CheckpointError, OutputError
from mergekit_speech.training.ranks import first, wait

State = Mapping[str, Any]
TWICE = frozenset({"last"})
"""States of which the one before is kept too, since what resumes from an older one ends the same."""
_log = logging.getLogger(__name__)


class Checkpoints(Protocol):
    """Keeps two states of a run by name: `last` and `best`."""

    def save(self, name: str, state: State) -> None:
        """Keeps a state, replacing the one of that name."""

    def load(self, name: str) -> dict[str, Any] | None:
        """Returns the state of that name, or None where there is none."""


class MemoryCheckpoints:
    """Keeps states in memory, for runs too short to resume."""

    def __init__(self) -> None:
        """Starts empty."""
        self._states: dict[str, Any] = {}

    def save(self, name: str, state: State) -> None:
        """See `Checkpoints.save`."""
        self._states[name] = copy.deepcopy(dict(state))

    def load(self, name: str) -> dict[str, Any] | None:
        """See `Checkpoints.load`."""
        return copy.deepcopy(self._states.get(name))


class DiskCheckpoints:
    """Keeps states as files of a folder, and the `last` before the last; a file is whole or absent.

    Of several processes the first one writes, and all of them read.
    """

    def __init__(self, folder: Path) -> None:
        """Uses `folder`, which is made if need be."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, state: State) -> None:
        """See `Checkpoints.save`.

        Raises:
            OutputError: The file cannot be written; the state of that name from before is still there.
        """
        if not first():
            return
        path, partial = self._folder / f"{name}.pt", self._folder / f"{name}.pt.partial"
        try:
            with partial.open("wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())
            if name in TWICE and path.is_file():
                path.replace(self._before(name))
            partial.replace(path)
        except (OSError, RuntimeError) as fault:
            raise OutputError(
                f"cannot write checkpoint {path} ({' '.join(str(fault).split())}): free some space, then use --resume"
            ) from fault
        finally:
            partial.unlink(missing_ok=True)

    def load(self, name: str) -> dict[str, Any] | None:
        """See `Checkpoints.load`; where `last` is damaged or gone, the one before it is loaded, with a word.

        Raises:
            CheckpointError: The file is damaged, and so is the one before it or there is none.
        """
        wait()
        path, before = self._folder / f"{name}.pt", self._before(name)
        try:
            if path.is_file() or not before.is_file():
                return _read(path) if path.is_file() else None
            fault = f"checkpoint {path} is gone"
        except CheckpointError:
            if not before.is_file():
                raise
            fault = f"checkpoint {path} is damaged"
        state = _read(before)
        _log.warning("%s: going on from the one before it, %s", fault, before)
        return state

    def _before(self, name: str) -> Path:
        return self._folder / f"{name}.1.pt"


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as fault:
        raise CheckpointError(f"checkpoint {path} is damaged: delete the run and start it again") from fault
    return state
