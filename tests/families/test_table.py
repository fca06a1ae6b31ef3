"""README.md's table of layouts says what tests exercise, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.families import table
from tests.families.cells import FAIRSEQ, HELD, LAYOUTS, S3PRL


def test_readme_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", table.NAME, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_rows() -> None:
    covered = {("hubert", S3PRL, "read"), ("hubert", S3PRL, "probe"), ("whisper", FAIRSEQ, "merge")}
    lines = table.render(covered).splitlines()
    assert lines[0] == f"|  | {' | '.join(LAYOUTS)} |"
    assert len(lines) == 2 + len(HELD)
    assert "| HuBERT | – | – | – | R – – – P | – | – | – |" in lines
    assert "| Whisper | – | – | – | – | – | – | – – M – – |" in lines


def test_another_table_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "collect", lambda: {("hubert", S3PRL, "read")})
    with pytest.raises(SystemExit, match=r"came another; run python -m tests\.families\.table$"):
        table.main(["--check"])


def test_tests_that_cannot_be_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "main", lambda *_, **__: pytest.ExitCode.INTERRUPTED)
    with pytest.raises(SystemExit, match=r"expected tests in .*families, came <ExitCode\.INTERRUPTED: 2> from pytest"):
        table.collect()
