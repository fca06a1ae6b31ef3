"""A base with two tuned encoders, and the toy corpus of the tests of probing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.superb.corpus import corpus
from tests.sweeping.encoders import make_run

__all__ = ["corpus"]


@pytest.fixture(scope="session")
def runs(tiny_hubert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs, called one and two. Never write there."""
    folder = tmp_path_factory.mktemp("runs")
    return make_run(tiny_hubert, folder / "one", 1), make_run(tiny_hubert, folder / "two", 2)
