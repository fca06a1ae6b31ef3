"""Test rows of many probes in one compact file: what intervals are computed from, so that reports can be combined."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mergekit_speech.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = Mapping[str, npt.NDArray[Any]]
    Columns = dict[str, npt.NDArray[Any]]

Names = Mapping[str, str]
"""Of one probe: the name in the file of each of its columns."""


def pack_rows(probes: Iterable[Rows]) -> tuple[list[Names], Columns]:
    """Names every column of every probe; columns that are the same, such as reference lengths, are kept once.

    Returns:
        The names, in the order of the probes, and the columns by name.
    """
    columns: Columns = {}
    known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    names = []
    for rows in probes:
        own = {}
        for row, values in rows.items():
            content = (values.dtype.str, values.shape, values.tobytes())
            own[row] = known.setdefault(content, f"column_{len(known)}")
            columns.setdefault(own[row], values)
        names.append(own)
    return names, columns


def write_rows(columns: Columns, path: Path) -> None:
    """Writes columns as compressed `.npz`; the same columns give the same bytes.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **columns)


def read_rows(path: Path, names: Sequence[Names | None]) -> list[Rows]:
    """Reads the rows of probes; those of a probe without names are empty.

    Raises:
        DataError: The file is absent or damaged, or lacks a column.
    """
    if not any(names):
        return [{} for _ in names]
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in {name for own in names for name in (own or {}).values()}}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise DataError(
            f"expected the test rows of a bench in {path}, came {str(fault)!r:.80}: restore the file, or bench again"
        ) from fault
    return [{row: columns[name] for row, name in (own or {}).items()} for own in names]
