"""The distributions under plugins/ install, are found, pass their own tests and merge; the guide shows the smallest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mergekit_speech.testing import tiny_checkpoint
from tests.conftest import ROOT
from tests.readme.blocks import fenced
from tests.speech.corpus import save, tone, write_manifest

GUIDE = ROOT / "plugins" / "README.md"
SMALLEST = ROOT / "plugins" / "msm-midpoint"
STRATEGIES = {"msm-midpoint": "midpoint", "msm-equal-norm": "equal_norm"}
TASKS = {"msm-gender": "gender"}
PLUGINS = STRATEGIES | TASKS
NOT_SOURCE = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__")
MOST_LINES_OF_THE_SMALLEST = 80


def run(*command: str | Path, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which all plugins are installed, offline."""
    folder = tmp_path_factory.mktemp("plugins")
    copies = [shutil.copytree(ROOT / "plugins" / name, folder / name, ignore=NOT_SOURCE) for name in PLUGINS]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, "--target", folder / "installed", *copies, environment=dict(os.environ), folder=folder)
    return os.environ | {"PYTHONPATH": f"{folder / 'installed'}{os.pathsep}{ROOT}"}


def test_every_distribution_is_tested_here() -> None:
    assert {path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml")} == set(PLUGINS)


def test_guide_shows_the_smallest_distribution() -> None:
    (project,) = fenced(GUIDE, "toml")
    module, own_test = fenced(GUIDE, "python")
    shown = {"pyproject.toml": project, "src/msm_midpoint.py": module, "tests/test_midpoint.py": own_test}
    assert shown == {name: (SMALLEST / name).read_text(encoding="utf-8") for name in shown}


def test_the_smallest_is_as_small_as_the_guide_says() -> None:
    files = [path for path in SMALLEST.rglob("*") if path.suffix in {".py", ".toml", ".md"}]
    listing = GUIDE.read_text(encoding="utf-8").split("```")[1]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert all(path.name in listing for path in files)
    assert lines <= MOST_LINES_OF_THE_SMALLEST
    assert f"{lines} lines, packaging and test included" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PLUGINS)
def test_plugin_passes_its_own_tests(name: str, environment: dict[str, str]) -> None:
    folder = ROOT / "plugins" / name
    own_tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", "tests"]
    assert " passed" in run(*own_tests, environment=environment, folder=folder)


@pytest.mark.parametrize("strategy", STRATEGIES.values())
def test_plugin_is_listed_and_merges(strategy: str, environment: dict[str, str], tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path / "base", seed=0)
    tiny_checkpoint(tmp_path / "tuned", seed=1)
    msm = [sys.executable, "-c", "from mergekit_speech.cli import main; main()"]
    assert strategy in run(*msm, "strategies", "--json", environment=environment, folder=tmp_path)
    options = ["--base", "base", "--tuned", "tuned", "--strategy", strategy, "--output", "merged"]
    run(*msm, "merge", *options, environment=environment, folder=tmp_path)
    assert (tmp_path / "merged" / "model.safetensors").is_file()


@pytest.mark.parametrize("task", TASKS.values())
def test_task_is_listed_and_probed(task: str, environment: dict[str, str], tmp_path: Path) -> None:
    rows = [
        {"split": split, task: answer, "path": f"{answer}.wav", "duration": 0.2}
        for split in ("train", "valid", "test")
        for answer in ("low", "high")
    ]
    write_manifest(tmp_path, task, rows)
    for answer, hertz in (("low", 200.0), ("high", 2000.0)):
        save(tmp_path / f"{answer}.wav", tone(0.2, hertz))
    msm = [sys.executable, "-c", "from mergekit_speech.cli import main; main()"]
    assert task in run(*msm, "tasks", "--json", environment=environment, folder=tmp_path)
    options = ["--data", ".", "--tasks", task, "--steps", "4", "--seeds", "0", "--output", "report"]
    run(*msm, "bench", "logmel", *options, environment=environment, folder=tmp_path)
    (probe,) = json.loads((tmp_path / "report" / "results.json").read_text())["probes"]
    assert probe["test"].keys() == {"acc", "uar"}
