"""The set-up that `make` does by itself, and the entry of continuous integration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The tests may themselves run under `make`, whose settings must not reach this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    run = ["make", *arguments]
    return subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def write_program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_environment_is_made_with_the_first_fitting_python(tmp_path: Path) -> None:
    # It calls itself new enough, and makes the folder that `python -m venv --clear FOLDER` would make.
    new = write_program(tmp_path / "new", '[ "$1" = -c ] || { mkdir -p "$4/bin" && echo "$@" > "$4/bin/python"; }')
    old = write_program(tmp_path / "old", "exit 1")
    venv = tmp_path / "venv"
    done = make(f"VENV={venv}", f"PYTHONS=no-such-python {old} {new} {sys.executable}", f"{venv}/bin/python")
    assert done.returncode == 0, done.stderr
    assert (venv / "bin" / "python").read_text() == f"-m venv --clear {venv}\n"


def test_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    old = write_program(tmp_path / "old", "exit 1")
    venv = tmp_path / "venv"
    done = make(f"VENV={venv}", f"PYTHON={old}", "PYTHONS=no-such-python", f"{venv}/bin/python")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        f"Error: expected Python 3.11 or newer, tried: {old} no-such-python; "
        "install one, or name it: make PYTHON=/path/to/python3"
    )
    assert not venv.exists()


def test_each_target_installs_what_it_needs(tmp_path: Path) -> None:
    venv = f"VENV={tmp_path}"
    demo, tests = make("--dry-run", venv, "demo").stdout, make("--dry-run", venv, "test").stdout
    assert "-c constraints.txt -e .\n" in demo
    assert "[dev]" not in demo
    assert tests.count("pip install") == 2
    assert f"--no-deps --target {tmp_path}/s3prl -r requirements-s3prl.txt\n" in tests
    assert "s3prl" not in demo
    assert "-c constraints.txt -e '.[dev,peers,triton]'\n" in tests
    assert all(step in tests for step in ("ruff check .", "ruff format --check .", "bin/mypy", "-m pytest"))


def test_continuous_integration_runs_the_whole_test_command() -> None:
    entry = ROOT / ".ci" / "run"
    assert os.access(entry, os.X_OK)
    steps = [line for line in entry.read_text().splitlines() if line and not line.startswith("#")]
    assert steps[:2] == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."']
    assert steps[-1] == "exec make test"


def run_entry(folder: Path, ci: str, user: int, *, browser: bool) -> list[str]:
    """Run the entry with stand-ins for what it calls; returns the calls."""
    log = folder / "calls"
    for name in ("make", "apt-get", *(["chromium"] if browser else [])):
        write_program(folder / name, f'echo "{name} $@" >> {log}')
    write_program(folder / "id", f"echo {user}")
    for name in ("bash", "dirname"):
        (folder / name).symlink_to(shutil.which(name) or name)
    subprocess.run([str(ROOT / ".ci" / "run")], env={"PATH": str(folder), "CI": ci}, check=True)
    return log.read_text().splitlines()


@pytest.mark.parametrize(
    ("ci", "user", "browser", "installs"),
    [("true", 0, False, True), ("true", 0, True, False), ("true", 1000, False, False), ("", 0, False, False)],
)
def test_continuous_integration_installs_a_browser_where_it_may(
    tmp_path: Path, ci: str, user: int, browser: bool, installs: bool
) -> None:
    calls = run_entry(tmp_path, ci, user, browser=browser)
    apt = ["apt-get update", "apt-get install --yes --no-install-recommends chromium"]
    assert calls == [*(apt if installs else []), "make test"]
