"""What a checkpoint is and holds, as text and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mergekit_speech.analysis.adapter import Adapter
from mergekit_speech.analysis.identity import Identity
from mergekit_speech.analysis.inspection import Inspection, Share

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

LONGEST_SHOWN = 200
SHARE = ("parameters", "elements", "size")
NO_ENCODER = "no encoder: no names such as 'encoder.layers.0…'"
NO_SETTINGS = "none; `msm convert --like BASE` takes those of a checkpoint of the same encoder"


def inspection_tables(found: Inspection) -> Iterator[RenderableType]:
    """Makes what `msm inspect` shows, from above to below."""
    from rich.text import Text

    whole = found.whole
    layers = f", {found.layers} layers" if found.layers else ""
    lines = [str(found.path), *(f"{name:<10}{plain(text)}" for name, text in _facts(found))]
    lines.append(
        f"{whole.parameters} parameters, {whole.elements:,} elements{layers}, {_size(whole.bytes)} of weights\n"
    )
    yield Text("\n".join(lines))
    yield _table(("file", "size"), [(name, _size(size)) for name, size in found.files.items()])
    shares = {"format": found.dtypes, "in tuning and merging": found.roles, "module": found.modules}
    for header, group in (shares | {"part": found.parts}).items():
        if group:
            yield _table((header, *SHARE), [_cells(each) for each in group])
    largest = [(each.name, _shape(each.shape), each.dtype, _size(each.size)) for each in found.largest]
    yield _table(("largest", "shape", "format", "size"), largest, left=3)
    if found.metadata:
        rows = [(plain(name), plain(value)) for name, value in found.metadata.items()]
        yield _table(("metadata", "text"), rows, left=2)
    if found.provenance is not None:
        yield from _provenance(found.provenance)


def plain(text: str) -> str:
    """Cut what is long, and spell out what could steer a terminal."""
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"


def _facts(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.encoder is not None:
        yield from _encoder_facts(found.encoder)
    elif found.adapter is not None:
        yield from _adapter_facts(found.adapter)
    else:
        yield "content", NO_ENCODER
    if found.run:
        yield "run", _describe_run(found.run)
    if found.conversion is not None:
        yield "converted", f"by msm convert, from the layout of {found.conversion}"


def _encoder_facts(encoder: Identity) -> Iterator[tuple[str, str]]:
    unknown = f"{encoder.family}, which is none of this toolkit's" if encoder.family else "unknown; nothing names it"
    yield "family", encoder.title or unknown
    shape = f"{encoder.layers} layers" + (f" of {encoder.dim} dimensions" if encoder.dim else "")
    shape += f", CNN with {encoder.norm} norm" if encoder.norm else ""
    yield "size", f"{encoder.size} ({shape})" if encoder.size else shape
    old = encoder.layout.old_weight_norm and encoder.layout.naming == "transformers"
    yield "layout", f"{encoder.layout}{', weight norm in the old spelling' if old else ''}"
    if encoder.normalize is not None:
        yield "input", "waveforms, to zero mean and unit variance" if encoder.normalize else "waveforms as they are"
    elif encoder.scaling is not None:
        yield "input", encoder.scaling
    if not encoder.settings:
        yield "settings", NO_SETTINGS


def _adapter_facts(adapter: Adapter) -> Iterator[tuple[str, str]]:
    stabilized = ", rank-stabilized" if adapter.rank_stabilized else ""
    yield "adapter", f"{adapter.kind}, rank {adapter.rank}, alpha {adapter.alpha}{stabilized}"
    yield "base", adapter.base or "not stated"
    yield "targets", ", ".join(adapter.targets) or "not stated"
    if adapter.whole:
        yield "whole", ", ".join(adapter.whole)


def _describe_run(record: Mapping[str, Any]) -> str:
    settings, base, kept = (_group(record, key) for key in ("settings", "base", "kept"))
    pieces = [f"msm {record.get('kind', '?')}"]
    pieces += [f"task {record['task']}"] if "task" in record else []
    pieces += [f"{settings['steps']} steps"] if "steps" in settings else []
    pieces += [f"kept step {kept['step']}"] if "step" in kept else []
    pieces += [f"{name} {value:.4g}" for name, value in _group(record, "test").items() if isinstance(value, float)]
    return ", ".join(map(str, pieces)) + (f"; base {base['path']}" if "path" in base else "")


def _group(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def _provenance(provenance: Mapping[str, Any]) -> Iterator[RenderableType]:
    import yaml
    from rich.text import Text

    inputs = provenance.get("inputs")
    rest = {key: value for key, value in provenance.items() if key != "inputs"}
    if isinstance(inputs, list) and all(isinstance(each, dict) for each in inputs):
        rows = [tuple(plain(str(each.get(key) or "")) for key in ("name", "digest", "licence")) for each in inputs]
        yield _table(("merged from", "digest of its weights", "licence"), rows, left=3)
    else:
        rest = dict(provenance)
    yield Text(f"Made by msm merge:\n{yaml.safe_dump(rest, sort_keys=False, allow_unicode=True)}")


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for place, header in enumerate(headers):
        table.add_column(header, justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        # Text, since a name may hold what rich takes for markup.
        table.add_row(*map(Text, row))
    return table


def _cells(share: Share) -> tuple[str, str, str, str]:
    return share.name, str(share.parameters), f"{share.elements:,}", _size(share.bytes)


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "scalar"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"
