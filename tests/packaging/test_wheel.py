"""What a user gets: the wheel, built from the source distribution, holds every module and every file of data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import mergekit_speech
from tests.conftest import ROOT

NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "runs", "tests", "benchmarks")
CODE_OR_CACHE = {".py", ".pyc"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=NOT_SOURCE)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(folder / "source")]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_strategies_are_those_of_the_folder(names: set[str]) -> None:
    packed = {name for name in names if name.startswith("mergekit_speech/strategies/")}
    assert packed == {f"mergekit_speech/strategies/{path.name}" for path in (ROOT / "strategies").glob("*.py")}


def test_every_module_is_packed(names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "mergekit_speech").rglob("*.py")}
    assert modules - names == set()


def test_every_file_of_data_is_packed(names: set[str]) -> None:
    files = (path for path in (ROOT / "mergekit_speech").rglob("*") if path.is_file())
    data = {str(path.relative_to(ROOT)) for path in files if path.suffix not in CODE_OR_CACHE}
    assert "mergekit_speech/py.typed" in data
    assert data - names == set()


def test_nothing_else_is_packed(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    version = mergekit_speech.__version__
    assert tops == {"mergekit_speech", f"mergekit_speech-{version}.dist-info"}


def test_metadata_name_version_licence_and_command(wheel: Path, metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("mergekit-speech", mergekit_speech.__version__)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    with zipfile.ZipFile(wheel) as archive:
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "msm = mergekit_speech.cli:main" in archive.read(entry_points).decode()


def test_installed_package_finds_its_strategies(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import mergekit_speech; print(mergekit_speech.__file__);"
        "from mergekit_speech.registry import STRATEGIES; print(*STRATEGIES.names())"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    said = subprocess.check_output([sys.executable, "-c", program], env=environment, cwd=tmp_path, text=True)
    place, strategies = said.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert set(strategies.split()) >= {path.stem for path in (ROOT / "strategies").glob("[!_]*.py")}
