"""Says in one line that the disk is full, whichever file it was that did not fit."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mergekit_speech.errors import OutputError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@contextmanager
def report_full_disk(action: str, remedy: str) -> Iterator[None]:
    """Turns the system's errors that mean "no room" into `OutputError`; others pass.

    Args:
        action: What cannot be done.
        remedy: What to do next.

    Raises:
        OutputError: The disk is full, the quota used up, or the disk read-only.
    """
    try:
        yield
    except OSError as fault:
        if fault.errno not in FULL:
            raise
        raise OutputError(f"cannot {action} ({fault}): {remedy}") from fault
