"""Turns Ctrl-C into a request that a loop can honour between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from mergekit_speech.training.ranks import launched


class InterruptRequest:
    """While entered, the first Ctrl-C sets `asked`; a second one raises KeyboardInterrupt, but not under a launcher."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self.asked = False
        self._previous: Any = None

    def __enter__(self) -> InterruptRequest:
        # Python lets only the main thread set signal handlers.
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        # A launcher passes on the Ctrl-C that its processes have had already, and ends them itself if they take long.
        if not launched():
            # What stood there before may ignore the signal, as in a shell's background jobs.
            signal.signal(signal.SIGINT, signal.default_int_handler)
