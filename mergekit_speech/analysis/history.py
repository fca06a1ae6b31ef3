"""Where a checkpoint comes from, as far as this toolkit left word of it: a merge, a run, a conversion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mergekit_speech.layouts.detect import S3PRL, TRANSFORMERS, Found, read_json
from mergekit_speech.merging.provenance import METADATA_KEY
from mergekit_speech.merging.runs import ENCODER_FOLDER, RECORD_FILE


def read_provenance(metadata: Mapping[str, str], found: Found | None) -> dict[str, Any] | None:
    """Give what `msm merge` wrote about a checkpoint, which conversions carry along; None if it wrote nothing.

    Args:
        metadata: Free text entries of its header.
        found: What else the checkpoint holds.
    """
    kept = found.origin.get("metadata") if found is not None else None
    text = metadata.get(METADATA_KEY) or (kept.get(METADATA_KEY) if isinstance(kept, dict) else None)
    # What is not what a merge writes is shown as the text that it is.
    try:
        read = json.loads(text or "null")
    except (TypeError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def find_run(path: Path) -> dict[str, Any] | None:
    """Give the record of the run whose encoder a folder is; None if it is no run's.

    Raises:
        CheckpointError: The record is no JSON object.
        ShardError: It cannot be read, or is a link out of the run.
    """
    return read_json(path.parent / RECORD_FILE) if path.name == ENCODER_FOLDER else None


def find_conversion(found: Found | None) -> str | None:
    """Say from which layout a checkpoint was converted; None if nothing of one was kept."""
    if found is None or not found.origin:
        return None
    return S3PRL if found.container == TRANSFORMERS else TRANSFORMERS
