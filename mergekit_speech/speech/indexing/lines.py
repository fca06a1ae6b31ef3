"""Reads what Lhotse writes line by line, here or behind a URL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mergekit_speech.errors import DataError


def read_lines(path: str) -> Iterator[tuple[str, Any]]:
    """Gives file and line number, and what is there, of a file of JSON lines, compressed or not.

    Raises:
        DataError: It is absent, damaged, or cannot be reached.
    """
    import fsspec

    with told(path), fsspec.open(path, "rt", encoding="utf-8", compression="infer") as file:
        for number, line in enumerate(file, start=1):
            yield f"{path}:{number}", json.loads(line)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turns whatever goes wrong with a file, here or elsewhere, into one line.

    Raises:
        DataError: It is absent, damaged, or cannot be reached, or that needs a package that is not installed.
    """
    try:
        yield
    except DataError:
        raise
    except ImportError as fault:
        raise DataError(
            f"{where} needs a package that is not installed ({fault}): pip install 'mergekit-speech[remote]'"
        ) from fault
    # File systems, tar files and gzip have errors of their own.
    except Exception as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise DataError(f"{where} cannot be read ({reason}): check its address, and that it is whole") from fault
