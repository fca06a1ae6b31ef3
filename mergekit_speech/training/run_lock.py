"""One process at a time writes a run."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mergekit_speech.errors import OutputError

LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks an existing folder for as long as the block lasts; a lock that a killed process left counts for nothing.

    Raises:
        OutputError: Another process holds the lock; the message names it.
    """
    path = folder / LOCK
    with path.open("a+", encoding="utf-8") as file:
        try:
            # The system drops this lock with the process, however that dies; the file alone locks nothing.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise OutputError(
                f"{folder} is being written by {holder}: wait for it to end, or choose another folder"
            ) from fault
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
