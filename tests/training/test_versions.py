"""Versions that a record holds."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest
import torch

import mergekit_speech
from mergekit_speech import __version__
from mergekit_speech.training.versions import source_commit, versions
from tests.conftest import ROOT


def test_versions_are_those_that_run() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["mergekit-speech"] == __version__
    assert all(found.values())


def test_checkout_names_its_commit() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if head.returncode:
        assert source_commit() is None
        return
    assert head.stdout.startswith((source_commit() or "none").removesuffix("-dirty"))
    assert versions()["commit"] == source_commit()


def test_installed_package_has_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mergekit_speech, "__file__", str(tmp_path / "mergekit_speech" / "__init__.py"))
    assert source_commit.__wrapped__() is None
