"""Processes of the experiment share its work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.origin import ROOT
from benchmarks.speech_ft.turns import turn

HOLD = "import sys; from pathlib import Path; from benchmarks.speech_ft.turns import turn\n"
HOLD += "with turn(Path(sys.argv[1]), 'a') as mine: print(mine, flush=True); sys.stdin.read()"


def test_what_another_process_holds_is_left_to_it_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with turn(tmp_path, "a") as mine, turn(tmp_path, "b") as free:
            assert (mine, free) == (False, True)
        other.kill()
    with turn(tmp_path, "a") as mine:
        assert mine
