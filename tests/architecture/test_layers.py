"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What a plugin may import, and so what a built-in strategy may.
ALLOWED = ("mergekit_speech.api", "mergekit_speech.ops", "torch", "numpy")


def test_import_contracts_hold() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_modules(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def may_import(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names or any(
        module == allowed or module.startswith(f"{allowed}.") for allowed in ALLOWED
    )


@pytest.mark.parametrize("path", sorted((ROOT / "strategies").glob("*.py")), ids=lambda path: path.stem)
def test_strategy_imports_what_a_plugin_may(path: Path) -> None:
    assert [module for module in imported_modules(path.read_text()) if not may_import(module)] == []
