"""The names of an encoder's parameters: canonical ones, those of transformers, and fairseq's, which s3prl keeps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

MODULES = (
    ("feature_projection.layer_norm", "layer_norm"),
    ("feature_projection.projection", "post_extract_proj"),
    ("masked_spec_embed", "mask_emb"),
    ("encoder.layer_norm", "encoder.layer_norm"),
)
"""Canonical and fairseq's name of each module outside of the layers."""
LAYER_MODULES = (
    *((f"attention.{each}_proj", f"self_attn.{each}_proj") for each in ("q", "k", "v", "out")),
    ("attention.gru_rel_pos_linear", "self_attn.grep_linear"),
    ("attention.gru_rel_pos_const", "self_attn.grep_a"),
    ("attention.rel_attn_embed", "self_attn.relative_attention_bias"),
    ("layer_norm", "self_attn_layer_norm"),
    ("feed_forward.intermediate_dense", "fc1"),
    ("feed_forward.output_dense", "fc2"),
    ("final_layer_norm", "final_layer_norm"),
)
"""The same of each module of a layer."""
WEIGHT_NORM = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))
"""Canonical and old spelling of the length and the direction of the positional convolution's weight."""
POSITION = "encoder.pos_conv_embed.conv"
FAIRSEQ_POSITION = "encoder.pos_conv.0"

LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)")
CONV = re.compile(r"feature_extractor\.conv_layers\.(\d+)\.(conv|layer_norm)\.(weight|bias)")
FAIRSEQ_CONV = re.compile(r"feature_extractor\.conv_layers\.(\d+)\.(0|2|2\.1)\.(weight|bias)")
ENCODER = re.compile(r"((?:.*\.)?)encoder\.layers\.\d+\.")

NEVER_MERGED: Mapping[str, tuple[str, ...]] = {
    "hubert": ("final_proj", "label_embs_concat", "target_glu"),
    "wav2vec2": ("quantizer", "project_q", "project_hid", "final_proj", "target_glu"),
    "wavlm": ("final_proj", "label_embs_concat"),
    "decoar2": (),
    "data2vec-audio": ("final_proj",),
    "unispeech-sat": ("quantizer", "project_q", "project_hid", "final_proj", "label_embs_concat"),
    "wav2vec2-bert": (),
    "whisper": ("decoder",),
}
"""The families by the word for them in `config.json`, and the modules of each that only its pre-training has."""
_HEADS = "|".join(sorted({module for family in ("hubert", "wav2vec2", "wavlm") for module in NEVER_MERGED[family]}))
PRETRAINING = re.compile(rf"(.*\.)?({_HEADS})(\..*)?")
"""Such modules in files that need not say of which family they are."""
PRETRAINING_ONLY = "only for pre-training"
HEAD = "head of a task model"
OUTSIDE = "not part of the encoder"


def never_merges(family: str | None, name: str) -> bool:
    """Say whether a parameter keeps the base's values, as only pre-training has it.

    Args:
        family: The family; None if nothing tells.
        name: A name as transformers gives it, perhaps behind a prefix.
    """
    if family is None or family not in NEVER_MERGED:
        return PRETRAINING.fullmatch(name) is not None
    return not set(NEVER_MERGED[family]).isdisjoint(name.split("."))


def find_prefix(names: Iterable[str]) -> str | None:
    """Give what stands before `encoder.layers.` in most names; None if no name has that."""
    found = Counter(match[1] for name in names if (match := ENCODER.match(name)))
    return min(found, key=lambda prefix: (-found[prefix], prefix)) if found else None


def is_fairseq(names: Iterable[str], prefix: str) -> bool:
    """Say whether names behind a prefix are fairseq's."""
    return any(name.startswith(f"{prefix}{FAIRSEQ_POSITION}.") for name in names)


def is_old_weight_norm(names: Iterable[str]) -> bool:
    """Say whether the positional convolution's weight is spelled the old way."""
    return any(name.endswith((".weight_g", ".weight_v")) for name in names)


def modernize(name: str) -> str:
    """Give the canonical spelling of weight norm; other names as they are."""
    for new, old in WEIGHT_NORM:
        if name == f"{POSITION}.{old}":
            return f"{POSITION}.{new}"
    return name


def antiquate(name: str) -> str:
    """Give the old spelling of weight norm; other names as they are."""
    for new, old in WEIGHT_NORM:
        if name == f"{POSITION}.{new}":
            return f"{POSITION}.{old}"
    return name


def from_fairseq(name: str) -> str | None:
    """Give the canonical name of a parameter of fairseq; None if the encoder has no such parameter."""
    if match := FAIRSEQ_CONV.fullmatch(name):
        return f"feature_extractor.conv_layers.{match[1]}.{'conv' if match[2] == '0' else 'layer_norm'}.{match[3]}"
    if name.startswith(f"{FAIRSEQ_POSITION}."):
        leaf = name.removeprefix(f"{FAIRSEQ_POSITION}.")
        return modernize(f"{POSITION}.{leaf}") if leaf in ("bias", "weight_g", "weight_v") else None
    if match := LAYER.fullmatch(name):
        rest = _swap(match[2], LAYER_MODULES, 1)
        return rest and f"encoder.layers.{match[1]}.{rest}"
    return _swap(name, MODULES, 1)


def to_fairseq(name: str, *, group_norm: bool) -> str | None:
    """Give fairseq's name of a canonical one; None if fairseq's encoder has no such parameter.

    Args:
        name: The canonical name.
        group_norm: Whether only the first convolution is normalised, over groups; it is spelled otherwise.
    """
    if match := CONV.fullmatch(name):
        place = "0" if match[2] == "conv" else "2" if group_norm else "2.1"
        return f"feature_extractor.conv_layers.{match[1]}.{place}.{match[3]}"
    if name.startswith(f"{POSITION}."):
        leaf = antiquate(name).removeprefix(f"{POSITION}.")
        return f"{FAIRSEQ_POSITION}.{leaf}" if leaf in ("bias", "weight_g", "weight_v") else None
    if match := LAYER.fullmatch(name):
        rest = _swap(match[2], LAYER_MODULES, 0)
        return rest and f"encoder.layers.{match[1]}.{rest}"
    return _swap(name, MODULES, 0)


def _swap(name: str, table: Iterable[tuple[str, str]], side: int) -> str | None:
    for row in table:
        if name == row[side] or name.startswith(f"{row[side]}."):
            leaf = name.removeprefix(row[side])
            return f"{row[1 - side]}{leaf}" if leaf in ("", ".weight", ".bias") else None
    return None


def reason(name: str, *, fairseq: bool) -> str:
    """Say why a parameter is left out.

    Args:
        name: A name that no canonical one stands for.
        fairseq: Whether it is among fairseq's.
    """
    if PRETRAINING.fullmatch(name):
        return PRETRAINING_ONLY
    return OUTSIDE if fairseq else HEAD


def expected_names(family: str, layers: int, config: Mapping[str, object]) -> list[str]:
    """List the canonical names that a file of a family must hold.

    Args:
        family: "hubert", "wav2vec2", "wavlm" or "decoar2".
        layers: Number of transformer layers.
        config: The transformers configuration, as far as it is known.
    """
    both = ("weight", "bias")
    names = [f"encoder.layer_norm.{leaf}" for leaf in both]
    if not config.get("conv_pos_batch_norm"):
        names += [f"{POSITION}.{leaf}" for leaf in ("bias", *(new for new, _ in WEIGHT_NORM))]
    if family != "decoar2":
        names += ["feature_extractor.conv_layers.0.conv.weight"]
        names += [f"feature_extractor.conv_layers.0.layer_norm.{leaf}" for leaf in both]
    if family != "decoar2" and config.get("feat_proj_layer_norm", True):
        names += [f"feature_projection.layer_norm.{leaf}" for leaf in both]
    modules = [canonical for canonical, _ in LAYER_MODULES if "rel" not in canonical]
    names += [f"encoder.layers.{n}.{module}.{leaf}" for n in range(layers) for module in modules for leaf in both]
    if family == "wavlm":
        names += [f"encoder.layers.{n}.attention.gru_rel_pos_const" for n in range(layers)]
        names += [f"encoder.layers.{n}.attention.gru_rel_pos_linear.{leaf}" for n in range(layers) for leaf in both]
        names += ["encoder.layers.0.attention.rel_attn_embed.weight"]
    return names


def count_layers(names: Iterable[str]) -> int:
    """Count the transformer layers that canonical names speak of."""
    return 1 + max((int(match[1]) for name in names if (match := LAYER.fullmatch(name))), default=-1)
