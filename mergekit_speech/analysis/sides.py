"""The checkpoints of a comparison, opened under names that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mergekit_speech.analysis.adapter import describe_adapter
from mergekit_speech.encoders.family import families
from mergekit_speech.errors import CheckpointError
from mergekit_speech.hub.fetch import resolve
from mergekit_speech.layouts.detect import Found, find
from mergekit_speech.layouts.names import HEAD, find_prefix
from mergekit_speech.layouts.read import read_encoder
from mergekit_speech.merging.adapters import is_adapter, open_adapter
from mergekit_speech.shards.reader import Checkpoint


@dataclass(frozen=True)
class Side:
    """One checkpoint of a comparison.

    Attributes:
        checkpoint: What is compared.
        left_out: Why each other tensor is not, by its stored name.
    """

    checkpoint: Checkpoint
    left_out: Mapping[str, str] = field(default_factory=dict)


def open_sides(paths: Sequence[Path], base: Path | None) -> list[Side]:
    """Open checkpoints to be compared.

    Where all of them hold the same names, or none is an encoder of a known family, they are compared as they stand,
    heads too. Else all get canonical names, and what is no part of the encoder is left out.

    Args:
        paths: Checkpoints in any layouts, and adapters.
        base: What adapters are put on; None for the base that each of them names.

    Raises:
        CheckpointError: A path is no checkpoint, or a part of one, one is an encoder and another is none, or an
            adapter's base is not there.
        ShardError: A file is missing, cut short or malformed.
    """
    common = None if base is None or is_adapter(base) else base
    bases = {path: common or _recorded_base(path) for path in paths if is_adapter(path)}
    whole = {path: find(path) for path in dict.fromkeys([*paths, *bases.values()]) if path not in bases}
    encoders = len({frozenset(found.weights.parameters) for found in whole.values()}) > 1 and any(
        _is_known(path, found) for path, found in whole.items()
    )
    opened = {path: _open(path, found, encoder=encoders) for path, found in whole.items()}
    return [_put_on(path, opened[bases[path]]) if path in bases else opened[path] for path in paths]


def _recorded_base(adapter: Path) -> Path:
    named = describe_adapter(adapter).base
    place = None if named is None else resolve(named)
    if place is None or is_adapter(place) or not place.exists():
        raise CheckpointError(
            f"expected the base of the adapter {adapter}, came {named!r}, which is none here; "
            "say with --base where it is"
        )
    return place


def _is_known(path: Path, found: Found) -> bool:
    if find_prefix(found.weights.parameters) is None:
        return False
    encoder = read_encoder(path, found)
    return encoder.layout.naming == "fairseq" or encoder.family in families()


def _open(path: Path, found: Found, *, encoder: bool) -> Side:
    if not encoder:
        return Side(found.weights if found.weights.parameters else found.rest)
    opened = read_encoder(path, found)
    return Side(opened, opened.left_out)


def _put_on(adapter: Path, base: Side) -> Side:
    checkpoint = open_adapter(adapter, base.checkpoint)
    known = base.checkpoint.parameters
    inner = {name: each for name, each in checkpoint.parameters.items() if name in known}
    heads = {name: HEAD for name in checkpoint.parameters if name not in known}
    return Side(replace(checkpoint, parameters=inner), heads)
