"""The distribution of plugins/README.md, made from its text, installs, is found, and passes its own test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.readme.blocks import fenced

GUIDE = ROOT / "plugins" / "README.md"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the guide's files."""
    folder = tmp_path_factory.mktemp("msm-midpoint")
    (project,) = fenced(GUIDE, "toml")
    module, test = fenced(GUIDE, "python")
    files = {"pyproject.toml": project, "src/msm_midpoint.py": module, "tests/test_midpoint.py": test}
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the plugin is installed, offline."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--target", target, plugin], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return os.environ | {"PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}


def test_guide_shows_every_file_it_lists(plugin: Path) -> None:
    listing = GUIDE.read_text(encoding="utf-8").split("```")[1]
    assert all(path.name in listing for path in plugin.rglob("*.*") if path.is_file())


def test_plugin_is_listed(environment: dict[str, str]) -> None:
    program = "from mergekit_speech.registry import STRATEGIES; print(*STRATEGIES.names())"
    listed = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert {"midpoint", "linear"} <= set(listed.split())


def test_plugin_passes_its_own_test(plugin: Path, environment: dict[str, str]) -> None:
    own_test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={plugin}", "tests"]
    done = subprocess.run(own_test, env=environment, cwd=plugin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
