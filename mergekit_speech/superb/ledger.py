"""Finished probes on disk while a bench goes on, so that an interrupted one loses at most one probe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mergekit_speech.errors import CheckpointError, OutputError
from mergekit_speech.superb.results import ProbeResult

Key = Mapping[str, Any]
"""What a probe's figures depend on: encoder digest, task, its manifest, settings, seed."""


class Ledger:
    """Finished probes by key; with a file, each one is there as soon as it is done."""

    def __init__(self, path: Path | None = None) -> None:
        """Starts with what the file holds, if there is one."""
        self.path = path
        self._rows: dict[str, Mapping[str, Any]] = {}
        if path is not None and path.is_file():
            self._rows = _read(path)

    def find(self, key: Key, encoder: str) -> ProbeResult | None:
        """Returns the finished probe of that key, under the encoder's label of today.

        Raises:
            CheckpointError: The file holds something else under that key.
        """
        row = self._rows.get(_text(key))
        if row is None:
            return None
        try:
            return ProbeResult.read(row, encoder)
        except (KeyError, TypeError) as fault:
            raise CheckpointError(
                f"{self.path}: expected a finished probe under {_text(key)}, came {row!r:.60}: start again with"
                " --overwrite"
            ) from fault

    def add(self, key: Key, result: ProbeResult) -> None:
        """Keeps a finished probe.

        Raises:
            OutputError: The file cannot be written.
        """
        self._rows[_text(key)] = result.document()
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "probe": result.document()}) + "\n")
        except OSError as fault:
            raise OutputError(f"cannot write {self.path} ({fault.strerror}): make room, then use --resume") from fault

    def remove(self) -> None:
        """Deletes the file, once its probes stand in a report."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def partial_path(output: Path) -> Path:
    """The file beside a report's folder that holds the probes finished so far."""
    return output.with_name(f"{output.name}.partial.jsonl")


def open_ledger(output: Path, *, resume: bool, overwrite: bool) -> Ledger:
    """Opens the ledger of a report that is to be made.

    Args:
        output: The report's folder.
        resume: Take up what an interrupted bench left.
        overwrite: Delete what an interrupted bench left; `resume` goes first.

    Raises:
        OutputError: An interrupted bench left probes, and neither was asked for.
        CheckpointError: The file is damaged.
    """
    path = partial_path(output)
    if path.exists() and not resume:
        if not overwrite:
            raise OutputError(
                f"{path} holds the probes of an interrupted bench: continue it with --resume, start again with"
                " --overwrite, or choose another --output"
            )
        path.unlink()
    return Ledger(path)


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8")
    whole, end = text.rpartition("\n")[0], text.rpartition("\n")[2]
    if end:
        # Whoever was killed while writing left half a line; the next one must not be glued to it.
        path.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    rows = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            rows[_text(row["key"])] = row["probe"]
        except (ValueError, KeyError, TypeError) as fault:
            raise CheckpointError(
                f"{path}:{number}: expected a finished probe as JSON, came {line!r:.60}: start again with --overwrite"
            ) from fault
    return rows


def _text(key: Key) -> str:
    return json.dumps(key, sort_keys=True)
