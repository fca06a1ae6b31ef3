"""`analyze` as a function; `tests/cli/test_analyze.py` reads what it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.reports.analyze import analyze


def test_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected an encoder to compare with the base, came none"):
        analyze("fbank", [], data=tmp_path, output=tmp_path / "r")
