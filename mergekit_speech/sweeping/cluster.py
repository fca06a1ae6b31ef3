"""Trials on a Dask cluster: one of this machine's own, or an existing one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from distributed import Client, Nanny, Scheduler, SpecCluster, as_completed

from mergekit_speech.errors import EngineError, SettingsError
from mergekit_speech.sweeping.job import Job
from mergekit_speech.sweeping.on_worker import probe_on_worker
from mergekit_speech.sweeping.trials import Outcome, Trial

ANSWER = 10
"""Seconds that a scheduler, and then its first worker, may take to answer."""
GPU = "GPU"
"""What workers call their GPU among their resources."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


class OnCluster:
    """Does trials on the workers of a cluster, those of one point on one worker as far as that goes.

    Dask runs the trials of a worker that dies again on another; a trial whose workers die again and again fails.
    """

    def __init__(self, client: Client, job: Job) -> None:
        """Takes what the trials have in common."""
        self._client, self._job = client, job

    def run(self, trials: Sequence[Trial]) -> Iterator[Outcome]:
        """See `Runner.run`.

        Raises:
            EngineError: The scheduler is gone.
        """
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        places, points = list(workers), list(dict.fromkeys(trial.point.label for trial in trials))
        futures = {
            self._client.submit(
                probe_on_worker,
                self._job,
                trial,
                pure=False,
                workers=[places[points.index(trial.point.label) % len(places)]],
                allow_other_workers=True,
                priority=-number,
                resources=wanted_resources(workers),
            ): trial
            for number, trial in enumerate(trials)
        }
        try:
            for future in as_completed(list(futures)):
                yield futures[future], _outcome(future, futures[future])
                future.release()
        finally:
            self._client.cancel(list(futures))


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """Starts a cluster of this machine's own, and a client of it; both end with the block.

    Args:
        workers: How many processes; each with one GPU of its own, if there are any.

    Raises:
        SettingsError: There are GPUs, but less than workers.
    """
    pins = pin_devices(workers, visible_devices())
    options: dict[str, Any] = {"nthreads": 1, "memory_limit": 0}
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False}}
    spec = {number: {"cls": Nanny, "options": {**options, "env": env}} for number, env in enumerate(pins)}
    with _quiet(), SpecCluster(spec, scheduler) as cluster, Client(cluster) as client:
        client.wait_for_workers(workers)
        yield client


@contextmanager
def existing_cluster(address: str) -> Iterator[Client]:
    """Gives a client of an existing cluster.

    Args:
        address: Of its scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        EngineError: Nobody answers there, or there are no workers.
    """
    with _quiet(), _connected(address) as client:
        try:
            client.wait_for_workers(1, timeout=ANSWER)
        except TimeoutError as fault:
            raise EngineError(
                f"expected a worker at the Dask scheduler {address!r}, came none within {ANSWER} s: start one with"
                f" dask worker {address}"
            ) from fault
        yield client


def visible_devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get(VISIBLE)
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def pin_devices(workers: int, devices: Sequence[str]) -> list[dict[str, str]]:
    """What the environment of each worker says of GPUs: one for each; nothing where there are none.

    Raises:
        SettingsError: There are less GPUs than workers, or no worker.
    """
    if workers < 1:
        raise SettingsError(f"expected at least 1 worker, came {workers!r}")
    if not devices:
        return [{} for _ in range(workers)]
    if workers > len(devices):
        raise SettingsError(
            f"expected at most a worker for each of {len(devices)} GPUs, came {workers}: give less workers"
        )
    return [{VISIBLE: device} for device in devices[:workers]]


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=ANSWER)
    except (OSError, ValueError, ImportError) as fault:
        raise EngineError(
            f"expected a Dask scheduler at {address!r}, came no answer ({' '.join(str(fault).split()):.120}): check the"
            " address, such as tcp://HOST:8786, or leave it out"
        ) from fault


@contextmanager
def _quiet() -> Iterator[None]:
    # What dies is told where its trials are; Dask's own lines would come between the progress.
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def wanted_resources(workers: Any) -> dict[str, int]:
    """What a trial takes of a worker: its GPU, on clusters whose workers say that they have one."""
    return {GPU: 1} if any(GPU in worker["resources"] for worker in workers.values()) else {}


def _outcome(future: Any, trial: Trial) -> Any:
    try:
        return future.result()
    except CancelledError as fault:
        raise EngineError("the Dask scheduler is gone: start it again, then use --resume") from fault
    except Exception as fault:
        return trial.failed(fault)
