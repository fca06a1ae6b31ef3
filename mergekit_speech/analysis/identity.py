"""Which encoder a checkpoint holds: family, size, layout, and what becomes of its parameters in tuning and merging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mergekit_speech.encoders.family import Family, families
from mergekit_speech.layouts.meaning import understand
from mergekit_speech.layouts.names import count_layers
from mergekit_speech.layouts.read import FAMILIES, EncoderCheckpoint, Layout

CNN = "feature_extractor."
# The second convolution's norm, since the first has one in every model.
SECOND_NORM = f"{CNN}conv_layers.1.layer_norm.weight"


@dataclass(frozen=True)
class Identity:
    """What an encoder is.

    Attributes:
        family: The word for it that transformers has too, "hubert" for one, or "decoar2"; None if nothing tells.
        title: The name that papers use; None if the family is none of this toolkit's.
        size: The published size, such as "Base"; None if there is none of these dimensions.
        dim: Dimensions of a hidden state; None if the names do not tell.
        layers: Number of transformer layers.
        norm: "layer" where every convolution of the CNN has a layer norm, "group" where only the first is normalised;
            None without a CNN.
        scaling: How the family takes loudness out of its input; None if the family is none of this toolkit's.
        normalize: What the checkpoint says of that: whether waveforms are brought to zero mean and unit variance; None
            if it says nothing, or the family has no such flag.
        settings: Whether the checkpoint holds the settings that the encoder can be built with.
        layout: How the file spells it.
        frozen: What stable fine-tuning never moves, so that merging leaves it as it is; canonical names.
        merged: All other parameters of the encoder; canonical names.
        left_out: Why each other tensor is none of the encoder, by its stored name.
    """

    family: str | None
    title: str | None
    size: str | None
    dim: int | None
    layers: int
    norm: str | None
    scaling: str | None
    normalize: bool | None
    settings: bool
    layout: Layout
    frozen: tuple[str, ...]
    merged: tuple[str, ...]
    left_out: Mapping[str, str]


def identify(encoder: EncoderCheckpoint) -> Identity:
    """Tell what an encoder is, from its headers and settings.

    Raises:
        CheckpointError: Its settings cannot be read, or are those of an encoder of another size.
        ShardError: A file of settings cannot be read.
    """
    known = families().get(encoder.family or "")
    norm = _norm(encoder)
    dim, layers = _dim(encoder), count_layers(encoder.parameters)
    size = _size(known, dim, layers, norm)
    # Files of DeCoAR 2.0 hold none, since there is one size of it.
    settings = encoder.config is not None or bool(encoder.origin) or (encoder.family == "decoar2" and bool(size))
    frozen = tuple(name for name in encoder.parameters if name.startswith(known.frozen if known else CNN))
    still = set(frozen)
    return Identity(
        family=encoder.family,
        title=known.title if known else None,
        size=size,
        dim=dim,
        layers=layers,
        norm=norm,
        scaling=known.scaling.value if known else None,
        normalize=_normalize(encoder) if settings else None,
        settings=settings,
        layout=encoder.layout,
        frozen=frozen,
        merged=tuple(name for name in encoder.parameters if name not in still),
        left_out=encoder.left_out,
    )


def _norm(encoder: EncoderCheckpoint) -> str | None:
    if not any(name.startswith(CNN) for name in encoder.parameters):
        return None
    return "layer" if SECOND_NORM in encoder.parameters else "group"


def _dim(encoder: EncoderCheckpoint) -> int | None:
    norm = encoder.parameters.get("encoder.layer_norm.weight") or encoder.parameters.get(
        "encoder.layers.0.final_layer_norm.weight"
    )
    return norm.shape[0] if norm is not None and len(norm.shape) == 1 else None


def _size(known: Family | None, dim: int | None, layers: int, norm: str | None) -> str | None:
    return known.size_of(dim, layers, layer_norm=norm == "layer") if known and dim is not None else None


def _normalize(encoder: EncoderCheckpoint) -> bool | None:
    # Of families that have their names in one layout only, the settings are left to transformers.
    if encoder.family not in FAMILIES:
        return None
    meaning = understand(encoder)
    return None if encoder.family == "decoar2" else meaning.normalize
