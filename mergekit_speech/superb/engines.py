"""What trains probes: this toolkit in this process, or s3prl in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.superb.results import NATIVE
from mergekit_speech.superb.s3prl_engine.engine import S3PRL, S3prlEngine
from mergekit_speech.superb.s3prl_engine.package import VERSION
from mergekit_speech.tasks.parts.task import Task

ENGINES = (NATIVE, S3PRL)


def engine_versions(name: str) -> dict[str, str]:
    """Versions of what an engine needs beside this toolkit and its own packages."""
    return {S3PRL: VERSION} if name == S3PRL else {}


@contextmanager
def open_engine(name: str, tasks: Iterable[Task]) -> Iterator[S3prlEngine | None]:
    """Gives what trains probes elsewhere; None where this process does it.

    Args:
        name: One of `ENGINES`.
        tasks: What is to be learnt; those that train no head are tested here, whatever the engine.

    Raises:
        SettingsError: There is no such engine, it is not installed, or it does not have a task.
    """
    if name not in ENGINES:
        raise SettingsError(
            f"expected an engine among {', '.join(ENGINES)}, came {name!r}{suggestion(name, ENGINES)}: correct it"
        )
    if name == NATIVE:
        yield None
        return
    with S3prlEngine() as engine:
        for task in tasks:
            if task.trains:
                engine.check(task)
        yield engine
