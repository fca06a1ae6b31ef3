"""The header of a safetensors file: parsed with every claim checked, and written byte for byte the same each time.

Layout: 8 bytes little-endian length, that many bytes of JSON, then the data; offsets count from the first data byte.
Source: https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from mergekit_speech.errors import ShardError
from mergekit_speech.shards.dtypes import SIZES

LENGTH_BYTES = 8
# The reference implementation refuses longer headers.
LONGEST_HEADER = 100_000_000
METADATA = "__metadata__"


@dataclass(frozen=True)
class Parameter:
    """Where a named tensor lies in its file.

    Attributes:
        name: Name of the parameter.
        dtype: Format, as in the header: "F32", "BF16", …
        shape: Its shape; empty for a scalar.
        offset: First byte, counted from the beginning of the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.elements * SIZES[self.dtype]


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    Attributes:
        parameters: In the order of their bytes.
        metadata: The free text entries.
    """

    parameters: tuple[Parameter, ...]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of a file.

    Raises:
        ShardError: The file cannot be read, is cut short, or its header is malformed.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            _check_length(length, size, path)
            text = file.read(length)
    except OSError as error:
        raise ShardError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from error
    return parse_header(text, size - LENGTH_BYTES - length, path)


def parse_header(text: bytes, data_size: int, path: Path) -> Header:
    """Check a header against the size of the data that follows it.

    Args:
        text: The JSON, without its length.
        data_size: Bytes after the header.
        path: The file, for messages.

    Raises:
        ShardError: The JSON is malformed, or the entries do not cover the data exactly, each byte once.
    """
    try:
        entries = json.loads(text, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise ShardError(f"expected a JSON header in {path}, came: {error}; fetch or write the file again") from error
    if not isinstance(entries, dict):
        raise ShardError(f"expected a JSON object as header of {path}, came {_short(entries)}; write the file again")
    metadata = entries.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ShardError(f"expected text entries under {METADATA} in {path}, came {_short(metadata)}; write it again")
    found = [_parse_entry(name, entry, path) for name, entry in entries.items()]
    _check_cover(found, data_size, path)
    first = LENGTH_BYTES + len(text)
    ordered = sorted(found, key=lambda item: (item[1], item[0].size, item[0].name))
    return Header(tuple(Parameter(p.name, p.dtype, p.shape, first + start) for p, start, _ in ordered), metadata)


def build_header(parameters: Iterable[Parameter], metadata: Mapping[str, str], length: int | None = None) -> bytes:
    """Write the length and the JSON for parameters that lie one behind the other, in this order.

    Args:
        parameters: In the order of their bytes; their offsets are not read.
        metadata: The free text entries.
        length: Bytes that the result must have, filled up with spaces; None for the next multiple of 8.

    Raises:
        ValueError: The header does not fit into `length`.
    """
    entries: dict[str, Any] = {METADATA: dict(metadata)}
    start = 0
    for each in parameters:
        offsets = [start, start + each.size]
        entries[each.name] = {"dtype": each.dtype, "shape": list(each.shape), "data_offsets": offsets}
        start += each.size
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    total = LENGTH_BYTES + -(-len(text) // 8) * 8 if length is None else length
    if LENGTH_BYTES + len(text) > total:
        raise ValueError(f"expected a header of at most {total} bytes, came {LENGTH_BYTES + len(text)}")
    padded = text.ljust(total - LENGTH_BYTES)
    return len(padded).to_bytes(LENGTH_BYTES, "little") + padded


def _check_length(length: int, size: int, path: Path) -> None:
    if size < LENGTH_BYTES:
        raise ShardError(f"expected a safetensors file, came {size} bytes in {path}; fetch it again")
    if length > LONGEST_HEADER:
        raise ShardError(
            f"expected a header of at most {LONGEST_HEADER} bytes, came {length} in {path}; is it a safetensors file?"
        )
    if LENGTH_BYTES + length > size:
        raise ShardError(
            f"{path} is cut short: its header needs {LENGTH_BYTES + length} bytes, the file has {size}; fetch it again"
        )


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} twice")
    return found


def _parse_entry(name: str, entry: object, path: Path) -> tuple[Parameter, int, int]:
    where = f"for parameter {name!r} in {path}; write the file again"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ShardError(f"expected dtype, shape and data_offsets, came {_short(entry)} {where}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SIZES:
        raise ShardError(f"expected a dtype out of {', '.join(SIZES)}, came {_short(dtype)} {where}")
    if not _are_counts(shape):
        raise ShardError(f"expected a shape of whole numbers, came {_short(shape)} {where}")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ShardError(f"expected two data_offsets, came {_short(offsets)} {where}")
    parameter = Parameter(name, dtype, tuple(shape))
    if offsets[1] - offsets[0] != parameter.size:
        raise ShardError(
            f"expected {parameter.size} bytes for shape {parameter.shape} of {dtype}, came offsets {offsets} {where}"
        )
    return parameter, offsets[0], offsets[1]


def _are_counts(value: object) -> bool:
    # bool is an int to Python, and no count.
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _check_cover(found: list[tuple[Parameter, int, int]], data_size: int, path: Path) -> None:
    end = 0
    for parameter, start, stop in sorted(found, key=lambda item: item[1:]):
        if start != end:
            fault = "overlaps the one before it" if start < end else "leaves a gap before it"
            raise ShardError(f"parameter {parameter.name!r} {fault} at byte {start} of {path}; write the file again")
        end = stop
    if end > data_size:
        raise ShardError(f"{path} is cut short: its parameters need {end} bytes, {data_size} are there; fetch it again")
    if end < data_size:
        raise ShardError(f"expected {end} bytes of parameters, came {data_size} in {path}; fetch or write it again")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
