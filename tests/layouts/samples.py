"""Tiny encoders of every family, in every layout, made of random numbers and named one by one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file, save_file

Array = npt.NDArray[Any]
Shapes = dict[str, tuple[int, ...]]
FAMILIES = ("hubert", "wav2vec2", "wavlm", "decoar2")
CLASSES = {"hubert": "HubertModel", "wav2vec2": "Wav2Vec2Model", "wavlm": "WavLMModel", "decoar2": "Decoar2Model"}
KEYS = {"hubert": "model_weight", "wav2vec2": "model_weight", "wavlm": "model", "decoar2": "model"}
BOTH = ("weight", "bias")
KERNEL, GROUPS, BUCKETS, BANDS = 4, 2, 8, 80
CTC: Shapes = {"lm_head.weight": (5, 8), "lm_head.bias": (5,)}
"""The head of a task model."""


@dataclass(frozen=True)
class Sample:
    """One encoder.

    Attributes:
        family: Its family.
        large: Layer norm in all convolutions and before the layers, and normalised waveforms.
        hidden: Width of its layers.
        inner: Width inside of them.
        layers: How many they are.
        convolutions: Channels, kernel and stride of each.
        seed: Of its numbers.
        moved: How far, in standard deviations, it was tuned from the encoder of that seed; convolutions never move.
        lacks: Canonical names of parameters that it does not have.
        more: Settings beside those that all have.
    """

    family: str = "hubert"
    large: bool = False
    hidden: int = 8
    inner: int = 12
    layers: int = 2
    convolutions: tuple[tuple[int, int, int], ...] = ((6, 10, 5), (6, 3, 2))
    seed: int = 0
    moved: float = 0.0
    lacks: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        dims, kernels, strides = (list(each) for each in zip(*self.convolutions, strict=True))
        sizes = {
            "model_type": self.family,
            "architectures": [CLASSES[self.family]],
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": 2,
            "num_conv_pos_embeddings": KERNEL,
            "num_conv_pos_embedding_groups": GROUPS,
            "do_stable_layer_norm": self.large,
        }
        front = {
            "conv_dim": dims,
            "conv_kernel": kernels,
            "conv_stride": strides,
            "num_feat_extract_layers": len(dims),
            "feat_extract_norm": "layer" if self.large else "group",
            "conv_bias": self.large,
        }
        wavlm = {"num_buckets": BUCKETS, "max_bucket_distance": 16} if self.family == "wavlm" else {}
        return sizes | (front if self.family != "decoar2" else {}) | wavlm | dict(self.more)

    def shapes(self) -> Shapes:
        """Canonical names and shapes."""
        width = self.hidden
        found: Shapes = {f"encoder.layer_norm.{leaf}": (width,) for leaf in BOTH}
        position = "encoder.pos_conv_embed.conv"
        found[f"{position}.bias"] = (width,)
        found[f"{position}.parametrizations.weight.original0"] = (1, 1, KERNEL)
        found[f"{position}.parametrizations.weight.original1"] = (width, width // GROUPS, KERNEL)
        entry = BANDS if self.family == "decoar2" else self.convolutions[-1][0]
        found |= {
            "feature_projection.projection.weight": (width, entry),
            "feature_projection.projection.bias": (width,),
        }
        if self.family != "decoar2":
            found |= self._front()
        for n in range(self.layers):
            found |= {f"encoder.layers.{n}.{name}": shape for name, shape in self._layer(n).items()}
        return found

    def _front(self) -> Shapes:
        found: Shapes = {"masked_spec_embed": (self.hidden,)}
        found |= {f"feature_projection.layer_norm.{leaf}": (self.convolutions[-1][0],) for leaf in BOTH}
        before = 1
        for n, (channels, kernel, _) in enumerate(self.convolutions):
            where = f"feature_extractor.conv_layers.{n}"
            found[f"{where}.conv.weight"] = (channels, before, kernel)
            if self.large:
                found[f"{where}.conv.bias"] = (channels,)
            if self.large or n == 0:
                found |= {f"{where}.layer_norm.{leaf}": (channels,) for leaf in BOTH}
            before = channels
        return found

    def _layer(self, n: int) -> Shapes:
        width, inner = self.hidden, self.inner
        found: Shapes = {}
        for each in "q", "k", "v", "out":
            found |= {f"attention.{each}_proj.weight": (width, width), f"attention.{each}_proj.bias": (width,)}
        found |= {f"{each}.{leaf}": (width,) for each in ("layer_norm", "final_layer_norm") for leaf in BOTH}
        found |= {"feed_forward.intermediate_dense.weight": (inner, width)}
        found |= {"feed_forward.intermediate_dense.bias": (inner,)}
        found |= {"feed_forward.output_dense.weight": (width, inner), "feed_forward.output_dense.bias": (width,)}
        if self.family == "wavlm":
            found |= {"attention.gru_rel_pos_const": (1, 2, 1, 1)}
            found |= {"attention.gru_rel_pos_linear.weight": (8, width // 2), "attention.gru_rel_pos_linear.bias": (8,)}
            found |= {"attention.rel_attn_embed.weight": (BUCKETS, 2)} if n == 0 else {}
        return found

    def weights(self, dtype: str = "float32") -> dict[str, Array]:
        """Canonical names and values."""
        drawn = draw(self.shapes(), self.seed, dtype)
        start = {name: each for name, each in drawn.items() if name not in self.lacks}
        if not self.moved:
            return start
        deltas = draw(self.shapes(), self.seed + 1000, dtype)
        return {
            name: each if name.startswith("feature_extractor.") else (each + self.moved * deltas[name]).astype(dtype)
            for name, each in start.items()
        }


def draw(shapes: Shapes, seed: int, dtype: str = "float32") -> dict[str, Array]:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def tune(sample: Sample) -> Sample:
    """An encoder tuned a little from another."""
    return replace(sample, moved=0.01)


def write_folder(
    folder: Path,
    sample: Sample,
    *,
    weights: Mapping[str, Array] | None = None,
    prefix: str = "",
    heads: Shapes | None = None,
    head_seed: int = 7,
    dtype: str = "float32",
    old_weight_norm: bool = False,
) -> Path:
    """Write it as transformers does, perhaps in a task model, or with other weights."""
    folder.mkdir(parents=True)
    spell = antiquated if old_weight_norm else str
    kept = sample.weights(dtype) if weights is None else weights
    tensors = {f"{prefix}{spell(name)}": each for name, each in kept.items()}
    save_file(tensors | draw(heads or {}, head_seed), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(sample.config(), indent=2) + "\n")
    if sample.family != "decoar2":
        (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": sample.large}) + "\n")
    return folder


def write_task(folder: Path, sample: Sample, heads: Shapes = CTC, head_seed: int = 1) -> Path:
    """Write it as transformers does, in a task model."""
    return write_folder(folder, sample, prefix=f"{sample.family}.", heads=heads, head_seed=head_seed)


def write_bin(folder: Path, sample: Sample) -> Path:
    """Write it as former versions of transformers did: a pickle, and weight norm by its old names."""
    write_folder(folder, sample)
    (folder / "model.safetensors").unlink()
    weights = {antiquated(name): torch.from_numpy(each) for name, each in sample.weights().items()}
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def read_folder(folder: Path) -> dict[str, Array]:
    found: dict[str, Array] = load_file(folder / "model.safetensors")
    return found


WEIGHT_NORM = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))


def antiquated(name: str) -> str:
    """What older versions of transformers call a parameter."""
    for new, old in WEIGHT_NORM:
        name = name.replace(new, old)
    return name


FAIRSEQ = (
    ("feature_projection.layer_norm.", "layer_norm."),
    ("feature_projection.projection.", "post_extract_proj."),
    ("masked_spec_embed", "mask_emb"),
    ("encoder.pos_conv_embed.conv.parametrizations.weight.original0", "encoder.pos_conv.0.weight_g"),
    ("encoder.pos_conv_embed.conv.parametrizations.weight.original1", "encoder.pos_conv.0.weight_v"),
    ("encoder.pos_conv_embed.conv.bias", "encoder.pos_conv.0.bias"),
)
FAIRSEQ_LAYER = (
    (".attention.gru_rel_pos_linear.", ".self_attn.grep_linear."),
    (".attention.gru_rel_pos_const", ".self_attn.grep_a"),
    (".attention.rel_attn_embed.", ".self_attn.relative_attention_bias."),
    (".attention.", ".self_attn."),
    (".feed_forward.intermediate_dense.", ".fc1."),
    (".feed_forward.output_dense.", ".fc2."),
)


def fairseq_name(name: str, *, large: bool) -> str:
    """What s3prl calls a parameter, spelled out once more so that the package's table can be held against it."""
    for new, old in FAIRSEQ:
        if name.startswith(new):
            return old + name.removeprefix(new)
    if name.startswith("feature_extractor."):
        return name.replace(".conv.", ".0.").replace(".layer_norm.", ".2.1." if large else ".2.")
    if not name.startswith("encoder.layers."):
        return name
    number, leaf = name.removeprefix("encoder.layers.").split(".", 1)
    leaf = f".{leaf}"
    if leaf.startswith(".layer_norm."):
        leaf = leaf.replace(".layer_norm.", ".self_attn_layer_norm.")
    for new, old in FAIRSEQ_LAYER:
        leaf = leaf.replace(new, old)
    return f"encoder.layers.{number}{leaf}"


def fairseq_heads(sample: Sample) -> Shapes:
    """What pre-training leaves in a file."""
    final, vectors = 4, 3
    found: Shapes = {"final_proj.weight": (final, sample.hidden), "final_proj.bias": (final,)}
    if sample.family == "hubert":
        return found | {"label_embs_concat": (5, final)}
    if sample.family != "wav2vec2":
        return {}
    channels = sample.convolutions[-1][0]
    found |= {"project_q.weight": (final, final), "project_q.bias": (final,), "quantizer.vars": (1, 2 * vectors, 2)}
    return found | {"quantizer.weight_proj.weight": (6, channels), "quantizer.weight_proj.bias": (6,)}


def fairseq_settings(sample: Sample) -> dict[str, Any]:
    """The settings beside the weights, as s3prl's converted files have them."""
    model: dict[str, Any] = {
        "encoder_embed_dim": sample.hidden,
        "encoder_ffn_embed_dim": sample.inner,
        "encoder_layers": sample.layers,
        "encoder_attention_heads": 2,
        "extractor_mode": "layer_norm" if sample.large else "default",
        "layer_norm_first": sample.large,
        "conv_bias": sample.large,
        "conv_feature_layers": str([tuple(each) for each in sample.convolutions]),
        "conv_pos": KERNEL,
        "conv_pos_groups": GROUPS,
        "dropout_features": 0.1,
        "latent_temp": [2.0, 0.5, 0.999995],
    }
    if sample.family == "decoar2":
        return {}
    if sample.family == "wavlm":
        rest = {"relative_position_embedding": True, "gru_rel_pos": True, "num_buckets": BUCKETS, "max_distance": 16}
        return {"cfg": model | rest | {"normalize": sample.large}}
    task: dict[str, Any] = {"sample_rate": 16000, "normalize": sample.large}
    if sample.family == "wav2vec2":
        model |= {"final_dim": 4, "quantize_targets": True, "latent_vars": 3}
        return {"model_cfg": model | {"_name": "wav2vec2"}, "task_cfg": task}
    model |= {"final_dim": 4, "label_rate": 50.0, "_name": "hubert"}
    return {"dictionaries_symbols": [["a", "b", "c", "d", "e"]], "model_cfg": model, "task_cfg": task}


def fairseq_state(
    sample: Sample, *, heads: bool = True, head_seed: int = 9, prefix: str = ""
) -> dict[str, torch.Tensor]:
    """Tensors under fairseq's names."""
    named = {fairseq_name(name, large=sample.large): each for name, each in sample.weights().items()}
    named |= draw(fairseq_heads(sample), head_seed) if heads else {}
    return {f"{prefix}{name}": torch.from_numpy(each) for name, each in named.items()}


def write_s3prl(path: Path, sample: Sample, *, head_seed: int = 9) -> Path:
    """Write it as s3prl's converter does."""
    state = fairseq_state(sample, head_seed=head_seed)
    torch.save({**fairseq_settings(sample), KEYS[sample.family]: state}, path)
    return path


def write_run(path: Path, sample: Sample) -> Path:
    """Write what s3prl's training of a downstream model leaves."""
    run = {
        "Optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
        "Step": 3,
        "Args": argparse.Namespace(upstream=f"{sample.family}_custom", upstream_trainable=True),
        "Config": {"runner": {"total_steps": 3}},
        "Upstream": fairseq_state(sample, prefix="model."),
        "Featurizer": {"weights": torch.zeros(3)},
        "Downstream": {"connector.weight": torch.zeros(2, 3)},
    }
    torch.save(run, path)
    return path


def write_spin(path: Path, sample: Sample) -> Path:
    """Write what Spin leaves."""
    state = fairseq_state(sample, prefix="encoder.model.") | {"loss_module.weight": torch.zeros(2)}
    torch.save({"state_dict": state, "epoch": 4, "hyper_parameters": {"lr": 1e-4}}, path)
    return path


def write_fairseq(path: Path, sample: Sample) -> Path:
    """Write it as fairseq does, with its settings in `cfg`."""
    kept = fairseq_settings(sample)
    settings = {"model": kept["model_cfg"], "task": kept["task_cfg"]}
    torch.save({"model": fairseq_state(sample), "cfg": settings, "args": None}, path)
    return path


def equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether names, formats, shapes and bytes are the same."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )
