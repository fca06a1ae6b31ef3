"""Versions that a record holds."""

from __future__ import annotations

import platform

import torch

from mergekit_speech import __version__
from mergekit_speech.training.versions import versions


def test_versions_are_those_that_run() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["mergekit-speech"] == __version__
    assert all(found.values())
