"""The process that runs s3prl: jobs in, what happens and what came of it out, as pickles.

    python -m mergekit_speech.superb.s3prl_engine.worker

It ends when nobody writes to it any more.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from mergekit_speech.errors import EngineError, MsmError
from mergekit_speech.superb.named_encoder import NamedEncoder
from mergekit_speech.superb.s3prl_engine.job import Fault, Job, Ready
from mergekit_speech.superb.s3prl_engine.package import INSTALL


def main() -> None:
    """Does jobs until the input ends."""
    # Ctrl-C reaches the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send = partial(_send, _claim_output())
    jobs: queue.SimpleQueue[Job | NamedEncoder] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, jobs), daemon=True).start()
    while True:
        send(_do(jobs.get(), send))


def _claim_output() -> IO[bytes]:
    """Keeps stdout for pickles; whatever else is printed goes to stderr."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _receive(source: IO[bytes], jobs: queue.SimpleQueue[Job | NamedEncoder]) -> None:
    try:
        while True:
            jobs.put(pickle.load(source))
    except EOFError:
        # Whoever asked is gone: a probe may have hours to go, and nobody would read what comes of it.
        os._exit(0)


def _do(job: Job | NamedEncoder, send: Callable[[Any], None]) -> Any:
    try:
        from mergekit_speech.superb.s3prl_engine.probing import probe
        from mergekit_speech.superb.s3prl_engine.stage import prepare

        if isinstance(job, Job):
            return probe(job, send)
        prepare(job)
        return Ready()
    except MsmError as fault:
        return Fault(fault, traceback.format_exc())
    except ModuleNotFoundError as fault:
        text = f"s3prl needs the package {fault.name!r}, which is not installed: {INSTALL}"
        return Fault(EngineError(text), traceback.format_exc())
    # s3prl raises whatever it likes.
    except Exception as fault:
        said = " ".join(str(fault).split()) or "it does not say why"
        return Fault(EngineError(f"s3prl failed ({type(fault).__name__}: {said:.300})"), traceback.format_exc())


def _send(output: IO[bytes], message: Any) -> None:
    pickle.dump(message, output)
    output.flush()


if __name__ == "__main__":
    main()
