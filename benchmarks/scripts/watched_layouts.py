"""Do a work on small files, so that everything is imported, say so, wait for a line, and do it on the others.

`watched_layouts.py VERB ARGUMENTS SMALL FULL`, with a verb of `VERBS`, its arguments in JSON, and two folders in which
their relative paths begin.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mergekit_speech import merge
from mergekit_speech.layouts.convert import convert


def convert_named(source: str, output: str, layout: str, like: str | None = None) -> None:
    """Convert files that are named by texts."""
    convert(Path(source), Path(output), layout, like=Path(like) if like else None)


VERBS: dict[str, Callable[..., object]] = {"convert": convert_named, "merge": merge}

verb, arguments, small, full = sys.argv[1:]
os.chdir(small)
VERBS[verb](**json.loads(arguments))
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
os.chdir(full)
VERBS[verb](**json.loads(arguments))
