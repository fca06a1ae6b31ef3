"""The engine `s3prl`, from the side of whoever asks: probes are trained and tested in a process of its own.

s3prl needs a torchaudio and stand-ins that the rest of a program must not see, draws from the global random state and
prints; a process keeps all of that to itself.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Self

from mergekit_speech.errors import EngineError, SettingsError
from mergekit_speech.superb.assignment import Assignment, Fold
from mergekit_speech.superb.layers import Tested
from mergekit_speech.superb.named_encoder import NamedEncoder
from mergekit_speech.superb.results import ProbedEncoder, ProbeResult
from mergekit_speech.superb.s3prl_engine.forms import form_of
from mergekit_speech.superb.s3prl_engine.job import Fault, Job
from mergekit_speech.superb.s3prl_engine.package import find_s3prl
from mergekit_speech.superb.training import train_folds
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.training.events import EvaluationEvent, Observer, StepEvent

S3PRL = "s3prl"
WORKER = "mergekit_speech.superb.s3prl_engine.worker"


class S3prlEngine:
    """Trains and tests probes by s3prl's own protocol; a context manager that ends its process.

    Source: SUPERB (arXiv 2105.01051) as `s3prl.problem` of s3prl 0.4.18 has it; what differs say `overrides`,
    `voices` and `turns`.
    """

    def __init__(self) -> None:
        """Finds s3prl; its process starts with the first probe.

        Raises:
            SettingsError: There is no s3prl, or one of another version.
        """
        self._place = find_s3prl()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._loaded: NamedEncoder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def probe(
        self,
        named: NamedEncoder,
        encoder: ProbedEncoder,
        assignment: Assignment,
        seed: int,
        observers: Sequence[Observer] = (),
    ) -> ProbeResult:
        """Trains a head from scratch on the training split, and tests its best checkpoint on the validation split.

        Args:
            named: Whose hidden states.
            encoder: What is known of it.
            assignment: What to learn, on what, how.
            seed: Decides head and order of clips.
            observers: Told of every step and validation.

        Raises:
            MsmError: Whatever goes wrong; the message names task, encoder and seed.
        """
        self._prepare(named)
        return train_folds(
            assignment, encoder, seed, S3PRL, lambda fold: self._train(assignment, fold, seed, observers)
        )

    def check(self, task: Task) -> None:
        """Refuses what is no problem of s3prl.

        Raises:
            SettingsError: It is none.
        """
        form_of(task)

    def close(self) -> None:
        """Ends the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._log is not None:
            self._log.close()
        self._process = self._log = self._loaded = None

    def _prepare(self, named: NamedEncoder) -> None:
        if named != self._loaded:
            self._write(named)
            self._read()
            self._loaded = named

    def _train(self, assignment: Assignment, fold: Fold, seed: int, observers: Sequence[Observer]) -> Tested:
        if assignment.settings is None:
            raise SettingsError(f"expected a task that trains a head, came {assignment.task.name!r}: test it here")
        for observer in observers:
            observer.start(0, assignment.settings.steps)
        try:
            self._write(Job(assignment.task, fold, assignment.settings, seed))
            return self._listen(observers)
        finally:
            for observer in observers:
                observer.close()

    def _listen(self, observers: Sequence[Observer]) -> Tested:
        while True:
            match self._read():
                case Tested() as tested:
                    return tested
                case StepEvent() as event:
                    for observer in observers:
                        observer.stepped(event)
                case EvaluationEvent() as event:
                    for observer in observers:
                        observer.evaluated(event)

    def _write(self, job: Job | NamedEncoder) -> None:
        if self._process is None:
            self._start()
        try:
            pickle.dump(job, self._pipe("stdin"))
            self._pipe("stdin").flush()
        except BrokenPipeError as fault:
            raise self._say_ended() from fault

    def _read(self) -> Any:
        try:
            answer = pickle.load(self._pipe("stdout"))
        except EOFError as fault:
            raise self._say_ended() from fault
        if isinstance(answer, Fault):
            raise answer.error from RuntimeError(f"in s3prl's process:\n{answer.trace}")
        return answer

    def _start(self) -> None:
        path = [*sys.path, *([str(self._place)] if self._place else [])]
        # Nothing that the protocol needs is on the network.
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),
            "HF_HUB_OFFLINE": "1",
            "TQDM_MININTERVAL": "60",
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: IO[bytes] = getattr(self._process, name)
        return pipe

    def _say_ended(self) -> EngineError:
        status = self._process.wait() if self._process else None
        said = b"nothing"
        if self._log is not None:
            self._log.seek(0)
            said = next((line for line in reversed(self._log.read().splitlines()) if line.strip()), said)
        self.close()
        return EngineError(
            f"s3prl's process ended with status {status}; its last words: {said.decode(errors='replace')}"
        )
