"""Several processes share the work: each takes what no other one holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mergekit_speech.errors import OutputError
from mergekit_speech.training.run_lock import locked


@contextmanager
def turn(work: Path, name: str) -> Iterator[bool]:
    """Holds a piece of work for as long as the block lasts; gives False where another process holds it."""
    folder = work / "turns" / name
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder))
        except OutputError:
            mine = False
        else:
            mine = True
        yield mine
