"""Opening an encoder from any layout: what it is, and its parameters under their canonical names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts import names
from mergekit_speech.layouts.detect import OURS, RUN, TRANSFORMERS, Found, Settings, find
from mergekit_speech.shards.reader import Checkpoint

FAMILIES = ("hubert", "wav2vec2", "wavlm", "decoar2")
"""The families whose names are known in every layout."""
FILLED = "filled in for s3prl, which asks for it"
TRAINING = "state of a training"
MOST_SHOWN = 4
REST_PREFIX = f"{OURS}.rest."
"""What stands before the names of those tensors that a file for s3prl keeps for transformers."""
EXTRA_PREFIX = f"{OURS}.extra."
"""The same of those that another file with fairseq's names had, and s3prl's model has no place for."""
RUN_PARTS = {
    "Downstream": "downstream head",
    "Featurizer": "weights of the layers, for a downstream head",
    "Optimizer": "state of the optimizer",
    "Scheduler": "state of the schedule",
}
DROPPED = frozenset({FILLED, TRAINING, *RUN_PARTS.values()})
"""Why tensors are left out that no layout keeps."""


@dataclass(frozen=True)
class Layout:
    """How a file spells an encoder.

    Attributes:
        container: Which program's file it is: "transformers", "s3prl", "s3prl run", "Spin", "fairseq", or "weights" for
            tensors without more.
        prefix: What stands before the names of the encoder's parameters.
        naming: "transformers" or "fairseq".
        old_weight_norm: Whether the weight norm is spelled `weight_g` and `weight_v`.
    """

    container: str
    prefix: str
    naming: str
    old_weight_norm: bool

    def __str__(self) -> str:
        """Say it in a few words."""
        behind = f" behind {self.prefix!r}" if self.prefix else ""
        return f"{self.container}, names of {self.naming}{behind}"


@dataclass(frozen=True, kw_only=True)
class EncoderCheckpoint(Checkpoint):
    """An encoder on disk; `parameters` and `files` are keyed by canonical names.

    Attributes:
        layout: How its file spells it.
        family: The word for it that transformers has too, "hubert" for one, or "decoar2"; None if nothing tells.
        stored: Its own name of every parameter, without the path in the file.
        left_out: Why each other tensor is none of the encoder, by name.
        rest: Those tensors, by the same names; they can be read like any.
        config: `config.json` of transformers, or fairseq's settings under `task_cfg` and `model_cfg`, or `cfg`; None if
            the file has neither.
        origin: What an earlier conversion kept of another layout.
    """

    layout: Layout
    family: str | None
    stored: Mapping[str, str]
    left_out: Mapping[str, str]
    rest: Checkpoint
    config: Settings | None
    origin: Settings = field(default_factory=dict)


def open_encoder(path: Path) -> EncoderCheckpoint:
    """Read the headers of an encoder in any layout.

    Args:
        path: A folder of transformers, or a file: of safetensors or of torch.save, from transformers, s3prl, Spin or
            fairseq.

    Raises:
        CheckpointError: There is nothing, no encoder but perhaps a head, or only a part of an encoder.
        ShardError: A file cannot be read, is malformed, or holds objects that are not known; none of them is run.
    """
    return read_encoder(path, find(path))


def read_encoder(path: Path, found: Found) -> EncoderCheckpoint:
    """Understand the names of what `find` found.

    Args:
        path: Where it was found.
        found: What a checkpoint holds.

    Raises:
        CheckpointError: It holds no encoder, or only a part of one.
    """
    stored = list(found.weights.parameters)
    prefix = names.find_prefix(stored)
    if prefix is None:
        shown = ", ".join(map(repr, stored[:MOST_SHOWN])) or "no tensors"
        raise CheckpointError(
            f"expected an encoder with names such as 'encoder.layers.0…' in {path}, came {shown}; "
            "give the encoder, not a head or another kind of model"
        )
    fairseq = names.is_fairseq(stored, prefix)
    mapped, left_out = _map_names(stored, prefix, found, fairseq=fairseq)
    layout = Layout(found.container, prefix, "fairseq" if fairseq else "transformers", names.is_old_weight_norm(stored))
    parameters = {name: replace(found.weights.parameters[old], name=name) for name, old in mapped.items()}
    files = {name: found.weights.files[old] for name, old in mapped.items()}
    family = _find_family(found, layout, parameters, stored)
    # HuBERT and wav2vec 2.0 have the same parameters, and only they can lack a sign of which one it is.
    _check_whole(path, family or ("wav2vec2" if fairseq else None), parameters, found)
    why = left_out | {name: _explain(name, found) for name in found.rest.parameters}
    return EncoderCheckpoint(
        path,
        parameters,
        files,
        found.weights.metadata,
        layout=layout,
        family=family,
        stored=mapped,
        left_out=why,
        rest=_gather_rest(found, left_out),
        config=found.config,
        origin=found.origin,
    )


def _map_names(
    stored: Iterable[str], prefix: str, found: Found, *, fairseq: bool
) -> tuple[dict[str, str], dict[str, str]]:
    mapped: dict[str, str] = {}
    left_out: dict[str, str] = {}
    said = found.origin.get("filled") if found.container != TRANSFORMERS else None
    filled = [name for name in said if isinstance(name, str)] if isinstance(said, list) else []
    for old in stored:
        inner = old.removeprefix(prefix) if old.startswith(prefix) else None
        name = None
        if inner is not None:
            name = names.from_fairseq(inner) if fairseq else names.modernize(inner)
        if inner in filled:
            left_out[old] = FILLED
        elif name is None or (not fairseq and names.PRETRAINING.fullmatch(name)):
            left_out[old] = names.reason(old if inner is None else inner, fairseq=fairseq)
        elif name in mapped:
            raise CheckpointError(
                f"expected every parameter once in {found.weights.folder}, came {mapped[name]!r} and {old!r}, "
                f"both of which are {name!r}; remove one"
            )
        else:
            mapped[name] = old
    return mapped, left_out


def _explain(name: str, found: Found) -> str:
    if found.container == RUN:
        return RUN_PARTS.get(name.split(".", 1)[0], TRAINING)
    if name.startswith(REST_PREFIX):
        return names.reason(name.removeprefix(REST_PREFIX), fairseq=False)
    kept = found.container == TRANSFORMERS or name.startswith(EXTRA_PREFIX)
    return names.reason(name.removeprefix(EXTRA_PREFIX), fairseq=True) if kept else TRAINING


def _gather_rest(found: Found, left_out: Mapping[str, str]) -> Checkpoint:
    parameters = {name: found.weights.parameters[name] for name in left_out}
    files = {name: found.weights.files[name] for name in left_out}
    return Checkpoint(found.weights.folder, {**parameters, **found.rest.parameters}, {**files, **found.rest.files})


def _find_family(found: Found, layout: Layout, parameters: Iterable[str], stored: Iterable[str]) -> str | None:
    if layout.container == TRANSFORMERS and found.config and isinstance(found.config.get("model_type"), str):
        return str(found.config["model_type"])
    known = set(parameters)
    if any(".gru_rel_pos_" in name for name in known):
        return "wavlm"
    if layout.naming == "fairseq" and not any(name.startswith("feature_extractor.") for name in known):
        return "decoar2"
    words = (*found.hints, layout.prefix, *(name.removeprefix(layout.prefix) for name in stored))
    for family, signs in (
        ("wav2vec2", ("wav2vec2", "wav2vec_", "w2v_", "quantizer", "project_q")),
        ("hubert", ("hubert", "label_embs_concat")),
    ):
        if any(word.startswith(signs) for word in words):
            return family
    return "hubert" if (found.config or {}).get("dictionaries_symbols") is not None else None


def _check_whole(path: Path, family: str | None, parameters: Iterable[str], found: Found) -> None:
    known = set(parameters)
    config = found.config or {} if found.container == TRANSFORMERS else {}
    layers = config.get("num_hidden_layers")
    counted = names.count_layers(known)
    if family not in FAMILIES:
        return
    expected = names.expected_names(family, layers if isinstance(layers, int) else counted, config)
    missing = [name for name in expected if name not in known]
    if missing:
        shown = ", ".join(map(repr, missing[:MOST_SHOWN])) + (", …" if len(missing) > MOST_SHOWN else "")
        raise CheckpointError(
            f"expected all {len(expected)} parameters of a {family} encoder in {path}, came a part of it without "
            f"{len(missing)}, such as {shown}; fetch the file again"
        )
