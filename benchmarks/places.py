"""Results say nothing of where folders lay on the machine that made them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.origin import ROOT
from mergekit_speech.demo import ENCODER
from mergekit_speech.reports.folder import rebuild

SHIPPED = ENCODER.relative_to(ROOT)
Names = Mapping[Path, str]
"""Folders, and what they are called."""


def renamed(text: str, names: Names) -> str:
    """Call folders by what they are, the innermost first, and the shipped encoder by its place in the project."""
    for path in sorted(names, key=lambda path: len(path.parts), reverse=True):
        text = text.replace(str(path.resolve()), names[path]).replace(str(path), names[path])
    # A run may have been made by another copy of the project.
    return re.sub(rf"/[^\s\"]*(?=/{SHIPPED})", ".", text)


def forget_places(report: Path, names: Names) -> None:
    """Rename folders in a report and in what lies beside it, and make its page again."""
    for path in report.glob("*.json"):
        path.write_text(renamed(path.read_text(encoding="utf-8"), names), encoding="utf-8")
    rebuild(report)
