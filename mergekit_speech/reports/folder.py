"""A report's folder: results as data, and everything that is made from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mergekit_speech.errors import DataError
from mergekit_speech.reports.kinds import kind_of
from mergekit_speech.shards.folder import whole_folder

if TYPE_CHECKING:
    from mergekit_speech.superb.rows_file import Columns

RESULTS = "results.json"
TABLE = "table.md"
PAGE = "report.html"
ROWS = "rows.npz"


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
    kind = kind_of(document)
    with whole_folder(folder, overwrite=overwrite) as partial:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / RESULTS).write_text(f"{text}\n", encoding="utf-8")
        if rows:
            from mergekit_speech.superb.rows_file import write_rows

            write_rows(rows, partial / ROWS)
        (partial / TABLE).write_text(kind.markdown(document), encoding="utf-8")
        kind.plot(document, partial)


def finite(value: Any) -> Any:
    """The same data, as JSON would give it back; NaN and infinities are None."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_folder(folder: Path) -> dict[str, Any]:
    """Reads what `results.json` of a report holds.

    Raises:
        DataError: The folder holds none, or it is damaged, too new, or of no known kind.
    """
    path = folder / RESULTS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise DataError(f"expected a report with {RESULTS} in {str(folder)!r}, came none: check the path") from fault
    except (OSError, ValueError) as fault:
        raise DataError(f"{path}: expected results as JSON, came {str(fault)!r:.80}: make the report again") from fault
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected results as a JSON object, came {document!r:.40}: make the report again")
    kind_of(document)
    return document
