"""Where a run keeps its last and its best state."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from mergekit_speech.errors import CheckpointError, OutputError

State = Mapping[str, Any]


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
    """Keeps states as files of a folder; a file is whole or absent, whenever the process dies."""

    def __init__(self, folder: Path) -> None:
        """Uses `folder`, which is made if need be."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, state: State) -> None:
        """See `Checkpoints.save`.

        Raises:
            OutputError: The file cannot be written; the state of that name from before is still there.
        """
        path, partial = self._folder / f"{name}.pt", self._folder / f"{name}.pt.partial"
        try:
            with partial.open("wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as fault:
            raise OutputError(
                f"cannot write checkpoint {path} ({' '.join(str(fault).split())}): free some space, then use --resume"
            ) from fault
        finally:
            partial.unlink(missing_ok=True)

    def load(self, name: str) -> dict[str, Any] | None:
        """See `Checkpoints.load`.

        Raises:
            CheckpointError: The file is damaged.
        """
        path = self._folder / f"{name}.pt"
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as fault:
            raise CheckpointError(f"checkpoint {path} is damaged: delete the run and start it again") from fault
        return state
