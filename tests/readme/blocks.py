"""Fenced blocks of a Markdown file."""

from __future__ import annotations

import re
from pathlib import Path

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fenced(path: Path, language: str) -> list[str]:
    """Give the text of every block in that language, in order."""
    return [text for found, text in FENCE.findall(path.read_text(encoding="utf-8")) if found == language]


def commands(path: Path) -> list[str]:
    """Give every command of the `sh` blocks, in order, continued lines joined."""
    lines = "".join(fenced(path, "sh")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
