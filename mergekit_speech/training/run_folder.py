"""The folder that a run leaves: its record, metrics, checkpoints and encoder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.errors import CheckpointError, OutputError, SettingsError
from mergekit_speech.training.disk import report_full_disk
from mergekit_speech.training.ranks import first, wait
from mergekit_speech.training.replaced_run import ReplacedRun
from mergekit_speech.training.run_lock import LOCK, OWNER, locked

LEFT = frozenset({LOCK, OWNER, "record.json.partial"})
"""What a process that was killed before its record was written may have left."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files are; of several processes the first one writes them, for all.

    Attributes:
        path: The folder itself.
    """

    path: Path

    @property
    def encoder(self) -> Path:
        """The tuned encoder, as transformers' `save_pretrained` would write it."""
        return self.path / "encoder"

    @property
    def head(self) -> Path:
        """The task head and its labels."""
        return self.path / "head"

    @property
    def record(self) -> Path:
        """What was run, on what, with what result."""
        return self.path / "record.json"

    @property
    def checkpoints(self) -> Path:
        """The last and the best state, to resume from."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """Every step and every validation, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def events(self) -> Path:
        """TensorBoard's files."""
        return self.path / "tensorboard"

    def tracker(self, name: str) -> Path:
        """Name of the run with an experiment tracker, to go on with it."""
        return self.path / f"{name}.id"

    @property
    def replaced(self) -> ReplacedRun:
        """The run that this one replaces, as long as this one has not ended."""
        return ReplacedRun(self.path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from writing this run for as long as the block lasts.

        When the block raises before the run has a checkpoint to resume from, the run that it replaced is back.

        Raises:
            OutputError: Another process writes it, or it cannot be made.
        """
        if not first():
            yield
            return
        if self.path.exists() and not (self.record.is_file() or self._free() or self.replaced.left_half_way):
            # What stands here is no run; `open` says so, and nothing is left in it.
            yield
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise OutputError(f"cannot write {self.path} ({fault}): make room or choose another folder") from fault
        with locked(self.path):
            try:
                if self.replaced.left_half_way:
                    self.replaced.bring_back()
                yield
            except BaseException:
                self._fall_back()
                raise

    def open(self, record: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Starts a run here, or takes one up again.

        Args:
            record: What describes the run; a resumed run must have been started with the same.
            resume: Continue the run that stands here, if there is one.
            overwrite: Replace the run that stands here; it is kept until this one is finished.

        Raises:
            OutputError: A run stands here and neither was asked for, something else than a run does, or it cannot be
                written to.
            SettingsError: The run that stands here was started differently.
        """
        if first():
            self._open(record, resume=resume, overwrite=overwrite)
        wait()

    def _open(self, record: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file: choose another folder for the run")
        if resume and self.record.is_file():
            self._check_same(record)
            return
        taken = self.path.is_dir() and not self._free()
        if taken and not self.record.is_file():
            raise OutputError(
                f"{self.path} holds files but no {self.record.name}, so it is no run: choose another folder"
            )
        if taken and not overwrite:
            raise OutputError(
                f"{self.path} exists: continue that run with --resume, replace it with --overwrite, or choose another"
            )
        try:
            if taken:
                self.replaced.put_aside()
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.record, record)
        except OSError as fault:
            raise OutputError(f"cannot write {self.path} ({fault}): make room or choose another folder") from fault

    def finish(self, results: Mapping[str, Any]) -> None:
        """Adds a run's results to its record, and deletes the run that it replaced.

        Raises:
            OutputError: The disk is full.
        """
        with report_full_disk(f"write {self.record}", "free some space, then use --resume"):
            self.replaced.drop()
            write_json(self.record, {**read_json(self.record), **results})

    def _free(self) -> bool:
        return self.path.is_dir() and all(child.name in LEFT for child in self.path.iterdir())

    def _fall_back(self) -> None:
        if not self.replaced.path.is_dir():
            return
        if self._resumable():
            _log.warning("the run that was to be replaced is kept in %s until the new one ends", self.replaced.path)
        else:
            self.replaced.bring_back()

    def _resumable(self) -> bool:
        places = (self.path.glob(f"{part}checkpoints/*.pt") for part in ("", "round-*/"))
        return any(any(place) for place in places)

    def _check_same(self, record: Mapping[str, Any]) -> None:
        known = read_json(self.record)
        for name, value in json.loads(json.dumps(record)).items():
            if name != "versions" and _wherever(known.get(name)) != _wherever(value):
                raise SettingsError(
                    f"{self.path} was started with another {name}: it was {known.get(name)!r}, now it is {value!r};"
                    " resume with what it was started with, or use another --output"
                )


def _wherever(value: Any) -> Any:
    """A part of a record without the place where it lay: a base or a data folder may move, its digest stays."""
    return {name: each for name, each in value.items() if name != "path"} if isinstance(value, dict) else value


def read_json(path: Path) -> dict[str, Any]:
    """Reads a file that holds one JSON object.

    Raises:
        CheckpointError: It is absent, damaged, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise CheckpointError(f"{path} does not exist: expected a run folder with its record") from fault
    except ValueError as fault:
        raise CheckpointError(f"{path}: not JSON ({fault}): the file is damaged") from fault
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {content!r:.60}")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes one JSON object; the file is whole or as it was before."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
