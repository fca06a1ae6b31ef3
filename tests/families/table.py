"""README.md's table of layouts, made from the tests that exercise its cells.

python -m tests.families.table [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence, Set
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from benchmarks.page import replaced
from mergekit_speech.encoders.family import families
from tests.conftest import ROOT
from tests.families.cells import LAYOUTS, VERBS

README = ROOT / "README.md"
TESTS = Path(__file__).parent
NAME = "tests.families.table"
NO = "–"

Cell = tuple[str, str, str]
"""Family, layout, and what is done."""


class Collector:
    """A plugin of pytest that lists the cells of the tests that are collected."""

    def __init__(self) -> None:
        self.covered: set[Cell] = set()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        for mark in item.iter_markers("covers"):
            self.covered.add((mark.kwargs["family"], mark.kwargs["layout"], mark.kwargs["does"]))


def collect() -> Set[Cell]:
    """Give the cells that tests exercise, from a process in which pytest does not run already.

    Raises:
        SystemExit: The tests cannot be collected.
    """
    collector = Collector()
    with redirect_stdout(sys.stderr):
        status = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", str(TESTS)], plugins=[collector])
    if status is not pytest.ExitCode.OK:
        raise SystemExit(f"expected tests in {TESTS}, came {status!r} from pytest: mend them first")
    return collector.covered


def render(covered: Set[Cell]) -> str:
    """Write the table: a row for each family, a column for each layout, and in each cell what is done."""
    rows = [
        (family.title, *(_cell(model_type, layout, covered) for layout in LAYOUTS))
        for model_type, family in families().items()
    ]
    lines = [("", *LAYOUTS), ["---"] * (1 + len(LAYOUTS)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(family: str, layout: str, covered: Set[Cell]) -> str:
    done = [verb[0].upper() if (family, layout, verb) in covered else NO for verb in VERBS]
    return " ".join(done) if any(mark != NO for mark in done) else NO


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table into README.md, or check that it is there.

    Raises:
        SystemExit: The page has another table, or the tests cannot be collected.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if README.md has another table")
    options = parser.parse_args(arguments)
    page = README.read_text(encoding="utf-8")
    wanted = replaced(page, render(collect()), NAME)
    if not options.check:
        README.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        raise SystemExit(f"expected the table of the tests in README.md, came another; run python -m {NAME}")


if __name__ == "__main__":
    main()
