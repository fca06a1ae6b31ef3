"""Lists and prints the files that are shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mergekit_speech.cli.output import Output
from mergekit_speech.merging.ready import Ready


def list_ready(ready: Ready, out: Output) -> None:
    """A line for each file of a kind: its name, and what it does."""
    rows = [{"name": name, "summary": ready.summary(name)} for name in ready.names()]
    width = max(len(row["name"]) for row in rows)
    text = "".join(f"{row['name']:{width}}  {row['summary']}\n" for row in rows)
    print_text(text, {f"{ready.kind}s": rows}, out)


def print_ready(ready: Ready, name: str, out: Output) -> None:
    """The text of a file, to be adapted.

    Raises:
        RecipeError: There is none of this name.
    """
    text = ready.text(name)
    print_text(text, {"name": name, ready.kind: text}, out)


def print_text(text: str, document: Mapping[str, Any], out: Output) -> None:
    """A text as it is, or a document under --json."""
    if not out.json:
        click.echo(text, file=out.stdout, nl=False)
    out.result(document)
