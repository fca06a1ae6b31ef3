"""One process at a time writes a run."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from mergekit_speech.errors import OutputError

LOCK = "lock"
OWNER = "lock.owner"
"""Stands for the lock on file systems that lock nothing, as some of NFS and FUSE do."""
_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks an existing folder for as long as the block lasts; a lock that a killed process left counts for nothing.

    Where the file system locks nothing, a file that only one process can make stands for the lock. What a killed
    process left of it counts for nothing on the machine where that process ran.

    Raises:
        OutputError: Another process holds the lock; the message names it.
    """
    path = folder / LOCK
    with path.open("a+", encoding="utf-8") as file, ExitStack() as held:
        try:
            # The system drops this lock with the process, however that dies; the file alone locks nothing.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno not in _NO_LOCKS:
                raise _taken(folder, _holder(file)) from fault
            held.enter_context(_owned(folder))
        file.truncate(0)
        file.write(_me())
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    path = folder / OWNER
    if path.is_file() and _ended(path.read_text(encoding="utf-8")):
        path.unlink(missing_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError as fault:
        holder = path.read_text(encoding="utf-8")
        raise _taken(folder, holder, f"delete {path} if that process has ended") from fault
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_me())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _ended(holder: str) -> bool:
    """Whether a process of this machine is no more; of another machine nobody knows."""
    match holder.split():
        case ["process", number, "on", host] if host == socket.gethostname() and number.isdecimal():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                return True
            except PermissionError:
                return False
    return False


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _taken(folder: Path, holder: str, remedy: str = "choose another folder") -> OutputError:
    who = holder.strip() or "another process"
    return OutputError(f"{folder} is being written by {who}: wait for it to end, or {remedy}")
