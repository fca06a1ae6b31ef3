"""What goes into the process that runs s3prl, and what comes out of it where it fails."""

from __future__ import annotations

from dataclasses import dataclass

from mergekit_speech.errors import MsmError
from mergekit_speech.superb.assignment import Fold
from mergekit_speech.superb.settings import ProbeSettings
from mergekit_speech.tasks.parts.task import Task


@dataclass(frozen=True)
class Job:
    """One head to train and test.

    Attributes:
        task: What to learn.
        fold: On what.
        settings: How.
        seed: Decides head and order of clips.
    """

    task: Task
    fold: Fold
    settings: ProbeSettings
    seed: int


@dataclass(frozen=True)
class Ready:
    """An encoder is loaded, and everything imported that a job needs."""


@dataclass(frozen=True)
class Fault:
    """Why a job came to nothing.

    Attributes:
        error: For the user.
        trace: Where, as Python tells it.
    """

    error: MsmError
    trace: str
