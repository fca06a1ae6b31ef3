"""House rules on how the code reads, as far as a program can see them."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import ROOT

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
PROMISES = ("TODO", "FIXME", "XXX", "NotImplementedError", "pragma: no cover")

# The link to strategies/ is left out: the folder itself is listed.
SOURCES = [
    path
    for folder in ("mergekit_speech", "strategies", "plugins", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "mergekit_speech" / "strategies")
]
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_sources_are_found() -> None:
    assert {"mergekit_speech/errors.py", "strategies/__init__.py"} <= {name(path) for path in SOURCES}


def test_no_file_is_too_long() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{name(path)}: {node.name}": _lines(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {function: lines for function, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION} == {}


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which may be as long as its arguments and errors need."""
    docstring = len((ast.get_docstring(function, clean=False) or "").splitlines())
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_no_module_has_a_vague_name() -> None:
    assert [name(path) for path in SOURCES + TESTS if VAGUE_NAMES & {path.stem, *path.stem.split("_")}] == []


def test_no_stub_and_no_promise() -> None:
    found = [(name(path), word) for path in SOURCES for word in PROMISES if word in path.read_text()]
    assert found == []


def test_every_package_has_an_init() -> None:
    folders = {path.parent for path in SOURCES if path.is_relative_to(ROOT / "mergekit_speech")}
    assert [name(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
