"""Where a figure comes from: the commit, the machine, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mergekit_speech import __version__

ROOT = Path(__file__).resolve().parent.parent


def commit(measured: Sequence[str] = ()) -> str:
    """Name the commit that ran, with a mark if what is measured differs from it.

    Args:
        measured: Paths below the project's root; none for all of it.
    """
    head = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    changed = subprocess.check_output(["git", "status", "--porcelain", "--", *measured], cwd=ROOT, text=True)
    return f"{head}-dirty" if changed else head


def machine(packages: Sequence[str] = ()) -> dict[str, object]:
    """Name processor, cores, load at the time, and versions.

    Args:
        packages: Distributions whose versions matter, beside those that always do.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    versions = {"mergekit-speech": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in ("numpy", "torch", "transformers", "blake3", *packages)}
    return {
        "cpu": next(names, platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "versions": versions,
    }


def spell(machine: Mapping[str, Any]) -> str:
    """Name a machine in a line of text."""
    cores = f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"
    return ", ".join([machine["cpu"], cores, *([machine["gpu"]] if "gpu" in machine else [])])
