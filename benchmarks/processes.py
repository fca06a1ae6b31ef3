"""What whole processes cost: time, and memory that is backed by no file."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.origin import ROOT

SAMPLING = 0.002


@dataclass(frozen=True)
class Cost:
    """What one process took.

    Attributes:
        wall_seconds: From start to end.
        cpu_seconds: User and system time.
        anonymous_bytes: Most memory that is backed by no file, sampled every few milliseconds.
        resident_bytes: Most memory, files that are mapped included, as of the last sample.
    """

    wall_seconds: float
    cpu_seconds: float
    anonymous_bytes: int
    resident_bytes: int


def measure(command: Sequence[str]) -> Cost:
    """Run a command and watch it.

    Raises:
        subprocess.CalledProcessError: It failed; what it said is in the error's notes.
    """
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said, env=_environment())
        anonymous = resident = 0
        while True:
            anonymous = max(anonymous, anonymous_bytes(process.pid))
            # What the system reports at the end may be this process's own memory, from before the command replaced it.
            resident = max(resident, status_bytes(process.pid, "VmHWM"))
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            time.sleep(SAMPLING)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            error = subprocess.CalledProcessError(process.returncode, process.args)
            error.add_note(said.read().decode(errors="replace"))
            raise error
    return Cost(wall, usage.ru_utime + usage.ru_stime, anonymous, resident)


def measure_peak(command: Sequence[str]) -> int:
    """Run a program that writes "ready", waits for a line and then works, and give its peak memory above that moment.

    Args:
        command: The program.

    Returns:
        Bytes that are backed by no file.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    # What is installed may come from another checkout.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None or process.stdout.readline() != b"ready\n":
            raise subprocess.CalledProcessError(process.wait(), command)
        before = peak = anonymous_bytes(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        while process.poll() is None:
            peak = max(peak, anonymous_bytes(process.pid))
            time.sleep(SAMPLING)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak - before


def _environment() -> dict[str, str]:
    # Installed programs have their bytecode; without it every run would compile the sources again.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure_in_turn(
    commands: Mapping[str, Sequence[str]], repeats: int, clear: Callable[[str], None]
) -> dict[str, list[Cost]]:
    """Run every command once, then again, so that the machine's moods meet all.

    Args:
        commands: By name.
        repeats: How often each runs.
        clear: Called with its name before every run, to remove what the last one left.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            clear(name)
            costs[name].append(measure(command))
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Take the median of each time, and the greatest of each memory."""
    return Cost(
        round(statistics.median(cost.wall_seconds for cost in costs), 3),
        round(statistics.median(cost.cpu_seconds for cost in costs), 3),
        max(cost.anonymous_bytes for cost in costs),
        max(cost.resident_bytes for cost in costs),
    )


def anonymous_bytes(pid: int) -> int:
    """Read the anonymous memory of a process now; 0 when it has gone."""
    return status_bytes(pid, "RssAnon")


def status_bytes(pid: int, name: str) -> int:
    """Read one of the sizes in a process's status; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
