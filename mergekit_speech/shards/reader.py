"""Checkpoints to read: a transformers directory with one safetensors file, or shards and their index."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from mergekit_speech.errors import CheckpointError, ShardError
from mergekit_speech.shards.header import Header, Parameter, read_header

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"


@dataclass(frozen=True)
class Checkpoint:
    """What an encoder on disk holds, known from its headers alone.

    Attributes:
        folder: The directory.
        parameters: By name, in the order of the files and of the bytes in them.
        files: The file of each parameter.
        metadata: Free text entries of the first file.
    """

    folder: Path
    parameters: Mapping[str, Parameter]
    files: Mapping[str, Path]
    metadata: Mapping[str, str] = field(default_factory=dict)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the headers of a checkpoint.

    Args:
        folder: A directory as `save_pretrained` writes it.

    Raises:
        CheckpointError: The folder does not exist or holds no safetensors weights.
        ShardError: A shard is missing or malformed, or the index does not agree with the shards.
    """
    if not folder.is_dir():
        raise CheckpointError(f"expected a checkpoint folder, came {str(folder)!r}, which is none; check the path")
    # The order in which transformers looks.
    if (folder / SINGLE_FILE).exists():
        return _gather(folder, {folder / SINGLE_FILE: read_header(folder / SINGLE_FILE)})
    if (folder / INDEX_FILE).exists():
        return _open_shards(folder)
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise CheckpointError(
        f"expected {SINGLE_FILE} or {INDEX_FILE} in {folder}, came {found}; "
        "write the weights with save_pretrained of transformers 5"
    )


class Weights:
    """The open files of a checkpoint, read at any place from any thread."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._descriptors: dict[Path, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for path in dict.fromkeys(self.checkpoint.files.values()):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError as error:
                self._stack.close()
                raise ShardError(f"cannot read {path}: {error.strerror}; check its permissions") from error
            self._stack.callback(os.close, descriptor)
            self._descriptors[path] = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read_into(self, name: str, buffer: memoryview, start: int = 0) -> None:
        """Fill a buffer with the bytes of a parameter.

        Args:
            name: Name of the parameter.
            buffer: Writable bytes, as many as are wanted.
            start: First byte, counted from the parameter's first.

        Raises:
            ShardError: The file ends early or cannot be read.
        """
        path = self.checkpoint.files[name]
        offset = self.checkpoint.parameters[name].offset + start
        done = 0
        while done < len(buffer):
            try:
                count = os.preadv(self._descriptors[path], [buffer[done:]], offset + done)
            except OSError as error:
                raise ShardError(f"cannot read parameter {name!r} from {path}: {error.strerror}") from error
            if count == 0:
                raise ShardError(f"{path} is cut short inside parameter {name!r}; fetch it again")
            done += count


def _open_shards(folder: Path) -> Checkpoint:
    weight_map = _read_index(folder / INDEX_FILE)
    headers = {folder / name: _read_shard(folder, name) for name in dict.fromkeys(sorted(weight_map.values()))}
    checkpoint = _gather(folder, headers)
    for name, file in weight_map.items():
        if checkpoint.files.get(name) != folder / file:
            raise ShardError(
                f"{folder / INDEX_FILE} puts parameter {name!r} into {file!r}, which lacks it; fetch both again"
            )
    unnamed = sorted(set(checkpoint.files) - set(weight_map))
    if unnamed:
        raise ShardError(f"{folder / INDEX_FILE} does not name {', '.join(map(repr, unnamed))}; write both again")
    return checkpoint


def _read_index(path: Path) -> dict[str, str]:
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise ShardError(f"expected a JSON index with a weight_map in {path}, came {error!r}; fetch it") from error
    if not isinstance(weight_map, dict) or not weight_map:
        raise ShardError(
            f"expected a weight_map from parameters to files in {path}, came {weight_map!r:.80}; fetch it again"
        )
    for name, file in weight_map.items():
        if not isinstance(file, str) or Path(file).name != file or file in ("", ".", ".."):
            raise ShardError(f"expected a file beside {path} for parameter {name!r}, came {file!r}; mend the index")
    return weight_map


def _read_shard(folder: Path, name: str) -> Header:
    if not (folder / name).is_file():
        raise ShardError(f"shard {name!r} is missing from {folder}, and {INDEX_FILE} asks for it; fetch it again")
    return read_header(folder / name)


def _gather(folder: Path, headers: Mapping[Path, Header]) -> Checkpoint:
    parameters: dict[str, Parameter] = {}
    files: dict[str, Path] = {}
    for path, header in headers.items():
        for parameter in header.parameters:
            if parameter.name in files:
                raise ShardError(
                    f"parameter {parameter.name!r} is in {files[parameter.name].name} and in {path.name} of {folder}; "
                    "remove the stale shard"
                )
            parameters[parameter.name], files[parameter.name] = parameter, path
    return Checkpoint(folder, parameters, files, next(iter(headers.values())).metadata)
