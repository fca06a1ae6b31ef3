"""A report's folder: results as data, and everything that is made from them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.errors import DataError, OutputError
from mergekit_speech.reports.kinds import kind_of, page
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.superb.columns import VERSION

if TYPE_CHECKING:
    from mergekit_speech.superb.rows_file import Columns

RESULTS = "results.json"
TABLE = "table.md"
PAGE = "report.html"
ROWS = "rows.npz"


def check_report_free(folder: Path, *, overwrite: bool = False) -> None:
    """Check, before any work, that a report may be written here.

    Raises:
        OutputError: There is something and `overwrite` is not set, or it is no report.
    """
    check_free(folder, overwrite=overwrite)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RESULTS).is_file():
        raise OutputError(f"{folder} holds files but no {RESULTS}, so it is no report: choose another folder")


def write_folder(
    document: Mapping[str, Any], folder: Path, *, rows: Columns | None = None, overwrite: bool = False
) -> None:
    """Writes results, table, plots and page into a folder that appears whole or not at all.

    Args:
        document: What `results.json` holds; its kind decides the rest. What is not finite becomes null.
        folder: Where.
        rows: Test rows that the document names.
        overwrite: Replace a report.

    Raises:
        OutputError: The folder is taken, or the disk is full.
        DataError: The document is of no known kind.
    """
    document = finite(document)
    with whole_folder(folder, overwrite=overwrite) as partial:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / RESULTS).write_text(f"{text}\n", encoding="utf-8")
        if rows:
            from mergekit_speech.superb.rows_file import write_rows

            write_rows(rows, partial / ROWS)
        _show(document, partial)


def rebuild(folder: Path) -> dict[str, Any]:
    """Makes table, plots and page of a report again from its `results.json`; nothing else in the folder changes.

    Returns:
        What `results.json` holds.

    Raises:
        DataError: The folder holds no results, or they are damaged, of another version, or of no known kind.
        OutputError: The folder cannot be written to.
    """
    document = read_folder(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as partial:
            _show(document, Path(partial))
            for path in Path(partial).iterdir():
                path.replace(folder / path.name)
    except OSError as fault:
        raise OutputError(f"cannot write into {folder} ({fault.strerror}): make room, or allow it") from fault
    return document


def read_folder(folder: Path) -> dict[str, Any]:
    """Reads what `results.json` of a report holds.

    Raises:
        DataError: The folder holds none, or it is damaged, of another version, or of no known kind.
    """
    path = folder / RESULTS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise DataError(f"expected a report with {RESULTS} in {str(folder)!r}, came none: check the path") from fault
    except (OSError, ValueError) as fault:
        raise DataError(f"{path}: expected results as JSON, came {str(fault)!r:.80}: make the report again") from fault
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected results as a JSON object, came {document!r:.40}: make the report again")
    kind_of(document)
    if document.get("version") != VERSION:
        raise DataError(
            f"{path}: expected results of version {VERSION}, came {document.get('version')!r}: make the report again,"
            " or use the mergekit-speech that wrote it"
        )
    return document


def finite(value: Any) -> Any:
    """The same data, as JSON would give it back; NaN and infinities are None."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show(document: Mapping[str, Any], folder: Path) -> None:
    kind = kind_of(document)
    (folder / TABLE).write_text(kind.markdown(document), encoding="utf-8")
    (folder / PAGE).write_text(page(document), encoding="utf-8")
    kind.plot(document, folder)
