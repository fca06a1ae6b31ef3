"""A trial in a process of a cluster; what its trials have in common is opened once."""

from __future__ import annotations

from threading import Lock

from mergekit_speech.superb.results import ProbeResult
from mergekit_speech.sweeping.job import Job
from mergekit_speech.sweeping.trials import Prober, Trial

_TURN = Lock()
_KEPT: list[tuple[Job, Prober]] = []


def probe_on_worker(job: Job, trial: Trial) -> ProbeResult:
    """Does one trial; several threads of a worker take turns, as random numbers are drawn for the whole process.

    Raises:
        MsmError: It cannot be done; the message says why.
    """
    with _TURN:
        if not _KEPT or _KEPT[0][0] != job:
            _KEPT.clear()
            job.check_inputs()
            _KEPT.append((job, Prober(job)))
        return _KEPT[0][1].probe(trial)
