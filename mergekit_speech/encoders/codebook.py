"""The codes that an encoder was pre-trained to name, where its checkpoint still holds them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from mergekit_speech.layouts.read import FILLED, EncoderCheckpoint, open_encoder
from mergekit_speech.shards.dtypes import FLOATS, SIZES
from mergekit_speech.shards.reader import Weights

NAMES = {
    "weight": re.compile(r"(.*\.)?final_proj\.weight"),
    "bias": re.compile(r"(.*\.)?final_proj\.bias"),
    "codes": re.compile(r"(.*\.)?label_embs_concat"),
}


@dataclass(frozen=True)
class Codebook:
    """HuBERT's pre-training head: a linear map, and an embedding of each code.

    Attributes:
        weight: float32, shape `(code_dim, dim)`.
        bias: float32, shape `(code_dim,)`.
        codes: float32, shape `(codes, code_dim)`.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    codes: torch.Tensor


def read_codebook(path: Path) -> Codebook | None:
    """Reads the codebook of an encoder in any layout; None where the checkpoint holds none.

    Args:
        path: A transformers directory, or a file of s3prl or fairseq, where codebooks usually are.

    Raises:
        CheckpointError: `path` is no encoder.
        ShardError: A file cannot be read.
    """
    checkpoint = open_encoder(path)
    found = {key: _find(checkpoint, pattern) for key, pattern in NAMES.items()}
    if not all(found.values()):
        return None
    with Weights(checkpoint.rest) as weights:
        tensors = {key: _read(weights, name) for key, name in found.items() if name}
    weight, bias, codes = tensors["weight"], tensors["bias"], tensors["codes"]
    # Several codebooks in one tensor, as HuBERT's code allows, would need one map each.
    fits = weight.ndim == codes.ndim == 2 and bias.shape == weight.shape[:1] == codes.shape[1:]
    return Codebook(weight, bias, codes) if fits else None


def _find(checkpoint: EncoderCheckpoint, pattern: re.Pattern[str]) -> str | None:
    names = (name for name, why in checkpoint.left_out.items() if why != FILLED and pattern.fullmatch(name))
    return next((name for name in names if checkpoint.rest.parameters[name].dtype in FLOATS), None)


def _read(weights: Weights, name: str) -> torch.Tensor:
    parameter = weights.checkpoint.parameters[name]
    buffer = bytearray(math.prod(parameter.shape) * SIZES[parameter.dtype])
    weights.read_into(name, memoryview(buffer))
    dtype: torch.dtype = getattr(torch, FLOATS[parameter.dtype])
    return torch.frombuffer(buffer, dtype=dtype).reshape(parameter.shape).float()
