"""Byte counts on the command line: 256MB, 1.5GB."""

from __future__ import annotations

import re

import click

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def read_size(text: str) -> int:
    """Read a number of bytes with a unit, for use as the type of an option; units are powers of 1024.

    Raises:
        click.BadParameter: It is no number with a unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"expected a size such as 256MB or 1.5GB, came {text!r}")
    return int(float(match[1]) * UNITS[match[2].upper()])
