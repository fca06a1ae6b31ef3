"""What importing the library and asking for help costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "numpy", "triton", "scipy", "sklearn", "lhotse", "pydantic", "yaml", "matplotlib"}


def modules_after(program: str) -> set[str]:
    report = f"{program}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert modules_after("import mergekit_speech") & (HEAVY | {"click", "rich"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = f"from mergekit_speech.cli import main\nmain({arguments!r}, standalone_mode=False)"
    assert modules_after(program) & (HEAVY | {"rich"}) == set()


def test_importing_the_library_reads_no_environment() -> None:
    program = """
import os
class Watched(dict):
    def __getitem__(self, key): raise AssertionError(f"read {key}")
    get = __contains__ = __getitem__
os.environ = Watched()
import mergekit_speech
"""
    assert "mergekit_speech" in modules_after(program)
