"""Byte counts on the command line."""

from __future__ import annotations

import click
import pytest

from mergekit_speech.cli._sizes import read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("12", 12), ("1KB", 1024), ("256MB", 256 << 20), ("1.5 gb", 3 << 29), ("2GiB", 2 << 30), ("3k", 3072), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 2", "5PB", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match=f"expected a size such as 256MB or 1.5GB, came '{text}'"):
        read_size(text)
