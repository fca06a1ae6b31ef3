"""Encoders that spell the same parameters in other ways: all get the names of the first, and heads go their own way.

What only pre-training has keeps the first encoder's values. A head of a task model is merged like anything else where
all encoders have it in one shape under one name; else the first encoder's stays, and any other is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mergekit_speech.errors import PairingError
from mergekit_speech.layouts.names import HEAD, PRETRAINING_ONLY, count_layers, never_merges
from mergekit_speech.layouts.read import DROPPED
from mergekit_speech.merging.pairing import kept_side
from mergekit_speech.merging.parts import Entries, Entry
from mergekit_speech.merging.reading import Reading
from mergekit_speech.merging.recipe import Keep

# The mask embedding: fine-tuned encoders may lack it.
OPTIONAL = "masked_spec_embed"
MASKING = "only for training with masks"
MOST_SHOWN = 4


@dataclass(frozen=True)
class Side:
    """An encoder of a merge.

    Attributes:
        label: What to call it in messages.
        entries: Its parameters by name.
        reading: What it is; None if it is no encoder of a known family.
    """

    label: str
    entries: Entries
    reading: Reading | None

    @property
    def family(self) -> str | None:
        """Its family, if anything tells."""
        return None if self.reading is None else self.reading.encoder.family

    def canonical(self, name: str) -> str | None:
        """Give the canonical name of a parameter; None for what is no part of an encoder."""
        return None if self.reading is None else self.reading.canonical.get(name)

    def why_beside(self, name: str) -> str | None:
        """Say why a parameter need not be merged; None if it must be."""
        canonical = self.canonical(name)
        if never_merges(self.family, canonical or name):
            return PRETRAINING_ONLY
        if canonical is None:
            return HEAD
        return MASKING if canonical == OPTIONAL else None


@dataclass(frozen=True)
class Naming:
    """What became of the names of an input.

    Attributes:
        folder: The input.
        layout: Its layout, in words.
        family: Its family; None if nothing tells.
        mapped: The name in the result of every parameter that its file calls otherwise, by that.
        left_out: Why a tensor is not used, by its name in the file.
        beside: Why a tensor is written beside the merged weights as it is, by its name in the file.
    """

    folder: Path
    layout: str
    family: str | None
    mapped: Mapping[str, str]
    left_out: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """Encoders under the names of the first.

    Attributes:
        entries: The parameters of each that take part, by those names.
        kept: Why parameters of the first keep its values, by name.
        left_out: Why parameters of each are left out, by their own names.
    """

    entries: tuple[Entries, ...]
    kept: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[Mapping[str, str], ...] = ()


def match(sides: Sequence[Side], keep: Sequence[Keep] = (), *, whole: bool = True) -> Matched:
    """Bring the names of encoders to those of the first; what is no encoder of a known family stays as it is.

    Args:
        sides: The encoders; the base comes first.
        keep: What the user wants copied from one side.
        whole: Whether every layer of each must have its counterpart.

    Raises:
        PairingError: One is an encoder, and another is none, or one of another size.
    """
    if not sides or sides[0].reading is None or not sides[0].entries:
        return Matched(tuple(side.entries for side in sides), {}, tuple({} for _ in sides))
    first, others = sides[0], sides[1:]
    for side in others:
        _check_kind(first, side)
        _check_size(first, side, layers=whole)
    names = {canonical: name for name in first.entries if (canonical := first.canonical(name)) is not None}
    renamed = [{own: names.get(side.canonical(own) or "", own) for own in side.entries} for side in others]
    alike = [{new: side.entries[own] for own, new in each.items()} for side, each in zip(others, renamed, strict=True)]
    kept = {
        name: why
        for name, entry in first.entries.items()
        if (why := first.why_beside(name)) is not None
        and (why == PRETRAINING_ONLY or not all(_has_shape(each.get(name), entry.shape) for each in alike))
    }
    entries: list[Entries] = [first.entries]
    left_out: list[Mapping[str, str]] = [{}]
    for side, each in zip(others, renamed, strict=True):
        gone: dict[str, str] = {}
        for own, new in each.items():
            why = kept.get(new) if new in first.entries else side.why_beside(own)
            if why is not None and kept_side(new, keep) != "tuned":
                gone[own] = why
        entries.append({new: side.entries[own] for own, new in each.items() if own not in gone})
        left_out.append(gone)
    return Matched(tuple(entries), kept, tuple(left_out))


def describe_naming(reading: Reading, left_out: Mapping[str, str], like: Reading, *, first: bool) -> Naming:
    """Say what became of the names of an input.

    Args:
        reading: The input.
        left_out: Why its parameters are left out, by their names in the plan.
        like: What lends the names.
        first: Whether that is the input itself.
    """
    encoder = reading.encoder
    names = {canonical: name for name, canonical in like.canonical.items()}
    mapped = {
        reading.stored(name): names[canonical]
        for name, canonical in reading.canonical.items()
        if canonical in names and names[canonical] != reading.stored(name) and name not in left_out
    }
    beside = {name: why for name, why in reading.apart.items() if first and why not in DROPPED}
    gone = {reading.stored(name): why for name, why in left_out.items()}
    gone |= {name: why for name, why in reading.apart.items() if name not in beside}
    return Naming(encoder.folder, str(encoder.layout), encoder.family, mapped, gone, beside)


def _check_kind(first: Side, side: Side) -> None:
    if side.reading is None and side.entries and side.entries.keys() != first.entries.keys():
        shown = ", ".join(map(repr, list(side.entries)[:MOST_SHOWN]))
        raise PairingError(
            f"expected a {first.family or 'speech'} encoder like {first.label}, came {side.label} with {shown}; "
            "give the encoder, not a head or another kind of model"
        )


def _check_size(first: Side, side: Side, *, layers: bool) -> None:
    if side.reading is None or first.reading is None or not side.entries:
        return
    wanted, came = _size(first.reading), _size(side.reading)
    if wanted[1] != came[1] or (layers and wanted[0] != came[0]):
        raise PairingError(
            f"expected an encoder with {wanted[0]} layers of width {wanted[1]} like {first.label}, came {came[0]} "
            f"layers of width {came[1]} in {side.label}; give encoders of one base"
        )


def _size(reading: Reading) -> tuple[int, int | None]:
    names = reading.encoder.parameters
    norm = names.get("encoder.layer_norm.weight")
    return count_layers(names), norm.shape[0] if norm is not None and norm.shape else None


def _has_shape(entry: Entry | None, shape: tuple[int, ...]) -> bool:
    return entry is not None and entry.shape == shape
