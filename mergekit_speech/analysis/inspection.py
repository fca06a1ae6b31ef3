"""What a checkpoint holds and where it comes from, from its headers alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from mergekit_speech.analysis.adapter import Adapter, adapter_weights, describe_adapter
from mergekit_speech.analysis.history import find_conversion, find_run, read_provenance
from mergekit_speech.analysis.identity import Identity, identify
from mergekit_speech.analysis.parts import find_parts
from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.detect import Found, find
from mergekit_speech.layouts.names import find_prefix
from mergekit_speech.layouts.read import EncoderCheckpoint, read_encoder
from mergekit_speech.merging.adapters import is_adapter
from mergekit_speech.merging.filters import MODULES
from mergekit_speech.merging.layers import find_stack
from mergekit_speech.merging.provenance import METADATA_KEY
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, open_checkpoint

LARGEST = 10
OTHER = "other"
"""Stands for a module that has no word in recipes, such as the mask embedding."""


@dataclass(frozen=True)
class Share:
    """Some of the parameters of a checkpoint, added up.

    Attributes:
        name: What they have in common.
        parameters: Number of parameters.
        elements: Number of elements.
        bytes: Bytes of weights.
    """

    name: str
    parameters: int
    elements: int
    bytes: int


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint holds.

    Attributes:
        path: The checkpoint.
        encoder: Which encoder it is; None if it is none.
        adapter: What an adapter says of itself; None if it is none.
        files: Bytes of each file of weights on disk, by its name.
        layers: Number of transformer layers.
        whole: All parameters.
        dtypes: By format, as headers name it.
        roles: By what becomes of them: frozen, merged, or left out and why; none if it is no encoder.
        modules: By the words for modules that recipes have, and "other"; of an encoder, without what is left out.
        parts: By layer, and by module beside the layers; of an encoder, without what is left out.
        largest: The largest parameters, in the order of their bytes.
        metadata: Free text entries of the first file, without what `msm merge` wrote.
        provenance: What `msm merge` wrote: recipe, versions, seed, digests and licences of the inputs; None if the
            checkpoint is not one of its own.
        run: Record of the run of `msm finetune` or `msm pretrain` that it belongs to; None if there is none.
        conversion: From which layout it was converted, as far as the conversion had to keep anything of that.
    """

    path: Path
    encoder: Identity | None
    adapter: Adapter | None
    files: Mapping[str, int]
    layers: int
    whole: Share
    dtypes: tuple[Share, ...]
    roles: tuple[Share, ...]
    modules: tuple[Share, ...]
    parts: tuple[Share, ...]
    largest: tuple[Parameter, ...]
    metadata: Mapping[str, str]
    provenance: Mapping[str, Any] | None
    run: Mapping[str, Any] | None
    conversion: str | None


def inspect_checkpoint(path: Path) -> Inspection:
    """Read the headers of a checkpoint, and add up.

    Args:
        path: A checkpoint in any layout, or any other folder or file of weights; the names of encoders are canonical.
            Or an adapter's folder.

    Raises:
        CheckpointError: The path is no checkpoint, a part of an encoder, or has the settings of another one.
        ShardError: A file is missing or malformed, or holds objects that are not known; none of them is run.
    """
    if is_adapter(path):
        weights = open_checkpoint(adapter_weights(path))
        return _add_all_up(path, weights, weights.parameters, adapter=describe_adapter(path))
    found = find(path)
    everything = _join(path, found.weights, found.rest)
    if find_prefix(found.weights.parameters) is None:
        return _add_all_up(path, everything, everything.parameters, found=found)
    encoder = read_encoder(path, found)
    everything = _join(path, encoder, encoder.rest)
    return _add_all_up(path, everything, encoder.parameters, encoder=encoder, found=found)


def _join(path: Path, one: Checkpoint, other: Checkpoint) -> Checkpoint:
    return Checkpoint(path, {**one.parameters, **other.parameters}, {**one.files, **other.files}, one.metadata)


def _add_all_up(
    path: Path,
    everything: Checkpoint,
    inner: Mapping[str, Parameter],
    *,
    encoder: EncoderCheckpoint | None = None,
    adapter: Adapter | None = None,
    found: Found | None = None,
) -> Inspection:
    parameters = everything.parameters
    if not parameters:
        raise CheckpointError(f"expected parameters in {path}, came none; fetch it again, or give a checkpoint")
    identity = identify(encoder) if encoder is not None else None
    metadata = dict(everything.metadata)
    provenance = read_provenance(metadata, found)
    if METADATA_KEY in metadata and provenance is not None:
        del metadata[METADATA_KEY]
    return Inspection(
        path=path,
        encoder=identity,
        adapter=adapter,
        files={file.name: file.stat().st_size for file in dict.fromkeys(everything.files.values())},
        layers=find_stack(inner).count,
        whole=_add_up("whole", parameters.values()),
        dtypes=_share((each.dtype, each) for each in sorted(parameters.values(), key=lambda each: each.dtype)),
        roles=_share_roles(identity, parameters) if identity else (),
        modules=_share_modules(inner),
        parts=_share((part, inner[name]) for name, part in find_parts(inner).items()),
        largest=tuple(sorted(parameters.values(), key=lambda each: (-each.size, each.name))[:LARGEST]),
        metadata=metadata,
        provenance=provenance,
        run=find_run(path),
        conversion=find_conversion(found),
    )


def _share_roles(identity: Identity, parameters: Mapping[str, Parameter]) -> tuple[Share, ...]:
    roles = [("frozen", name) for name in identity.frozen] + [("merged", name) for name in identity.merged]
    left_out = sorted(identity.left_out.items(), key=itemgetter(1))
    roles += [(f"left out: {why}", name) for name, why in left_out]
    return _share((role, parameters[name]) for role, name in roles)


def _share_modules(parameters: Mapping[str, Parameter]) -> tuple[Share, ...]:
    named = [(_module_of(name), each) for name, each in parameters.items()]
    order = [*MODULES, OTHER]
    return _share(sorted(named, key=lambda item: order.index(item[0])))


def _module_of(name: str) -> str:
    return next((module for module, pattern in MODULES.items() if re.search(pattern, name)), OTHER)


def _share(named: Iterable[tuple[str, Parameter]]) -> tuple[Share, ...]:
    groups: dict[str, list[Parameter]] = {}
    for name, parameter in named:
        groups.setdefault(name, []).append(parameter)
    return tuple(_add_up(name, group) for name, group in groups.items())


def _add_up(name: str, parameters: Iterable[Parameter]) -> Share:
    group = list(parameters)
    return Share(name, len(group), sum(each.elements for each in group), sum(each.size for each in group))
