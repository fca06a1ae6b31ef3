"""The folder strategies/ is the package mergekit_speech.strategies, through a relative link kept in git."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINK = ROOT / "mergekit_speech" / "strategies"


def test_link_is_relative_and_leads_to_the_folder() -> None:
    assert LINK.is_symlink()
    assert LINK.readlink() == Path("../strategies")
    assert LINK.resolve() == ROOT / "strategies"


def test_git_keeps_it_as_a_link() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no index to read the link's mode from")
    listed = subprocess.check_output(["git", "ls-files", "-s", "mergekit_speech/strategies"], cwd=ROOT, text=True)
    mode, blob = listed.split()[:2]
    assert mode == "120000"
    assert subprocess.check_output(["git", "cat-file", "blob", blob], cwd=ROOT, text=True) == "../strategies"


def test_package_imports_under_its_own_name() -> None:
    assert Path(importlib.import_module("mergekit_speech.strategies").__path__[0]).resolve() == ROOT / "strategies"


def test_package_refuses_any_other_name(tmp_path: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import strategies"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: expected this package under the name 'mergekit_speech.strategies', came 'strategies': "
        "two names would make two copies of every strategy; write `import mergekit_speech.strategies`"
    )


def test_linters_see_each_strategy_once() -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--show-files", str(ROOT)]
    shown = [Path(line).resolve() for line in subprocess.check_output(ruff, text=True).splitlines()]
    strategies = [path for path in shown if path.parent == ROOT / "strategies"]
    assert sorted(strategies) == sorted((ROOT / "strategies").glob("*.py"))


@pytest.mark.parametrize("left", ["nothing", "a text file"])
def test_lost_link_says_how_to_restore_it(tmp_path: Path, left: str) -> None:
    package = tmp_path / "mergekit_speech"
    package.mkdir()
    for path in (ROOT / "mergekit_speech").glob("*.py"):
        shutil.copyfile(path, package / path.name)
    # What git leaves where links are not allowed.
    if left == "a text file":
        (package / "strategies").write_text("../strategies")
    program = "from mergekit_speech.registry import STRATEGIES; STRATEGIES.load('linear')"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "mergekit_speech.errors.StrategyError: expected the package 'mergekit_speech.strategies', came none: "
        "the link mergekit_speech/strategies -> ../strategies is lost; reinstall mergekit-speech, or in a checkout run "
        "`git config core.symlinks true && git checkout -- mergekit_speech/strategies`"
    )
