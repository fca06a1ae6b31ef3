"""Writing an encoder as a folder of transformers, or as a file that stock s3prl loads.

What the new layout has no place for stays with it. A folder gets `s3prl.json` with fairseq's settings, and
`s3prl.safetensors` with pre-training heads. A file for s3prl gets an entry `mergekit_speech`, which s3prl does not
read: the folder's text files (`files`) and where its weights come from (`metadata`), task heads (`rest`), tensors that
s3prl's model lacks (`extra`), and the names of what had to be filled in (`filled`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts import names
from mergekit_speech.layouts.config import CONVOLUTIONS, LABEL_RATE, to_fairseq, to_transformers
from mergekit_speech.layouts.detect import ORIGIN_FILE, OURS, REST_FILE, TRANSFORMERS, Settings
from mergekit_speech.layouts.heads import fillers, wanted, without_heads
from mergekit_speech.layouts.meaning import PLAIN_METADATA, Meaning, write_files
from mergekit_speech.layouts.read import DROPPED, EXTRA_PREFIX, REST_PREFIX, EncoderCheckpoint
from mergekit_speech.layouts.torch_file import Tensor, write_torch_file
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import SINGLE_FILE, Checkpoint, Weights
from mergekit_speech.shards.writer import ShardWriter, lay_out

Target: TypeAlias = dict[str, tuple[Checkpoint, str]]
"""What to write: by its new name, the checkpoint that holds it and its name there."""


@dataclass(frozen=True)
class Aside:
    """What is no part of the encoder and kept for other layouts: wanted name → name in `EncoderCheckpoint.rest`.

    Attributes:
        fairseq: Of fairseq, mostly pre-training heads.
        transformers: Of a task model of transformers.
    """

    fairseq: Mapping[str, str]
    transformers: Mapping[str, str]


def find_aside(encoder: EncoderCheckpoint) -> Aside:
    """Sort what an encoder's checkpoint holds beside it; states of a training and heads of s3prl's runs are dropped."""
    fairseq, transformers = {}, {}
    for name, why in encoder.left_out.items():
        if why in DROPPED:
            continue
        if name.startswith(REST_PREFIX):
            transformers[name.removeprefix(REST_PREFIX)] = name
        elif name.startswith(EXTRA_PREFIX):
            fairseq[name.removeprefix(EXTRA_PREFIX)] = name
        elif encoder.layout.naming == "fairseq" or encoder.rest.files[name].name == REST_FILE:
            fairseq[name.removeprefix(encoder.layout.prefix)] = name
        else:
            transformers[name] = name
    return Aside(fairseq, transformers)


def write_transformers(encoder: EncoderCheckpoint, meaning: Meaning, folder: Path) -> None:
    """Write into an empty folder what `AutoModel` loads.

    Args:
        encoder: The encoder.
        meaning: Its settings.
        folder: Where to.

    Raises:
        CheckpointError: transformers has no place for the encoder as it is.
        OSError: The disk is full, or fails.
    """
    if "feature_projection.projection.weight" not in encoder.parameters:
        raise CheckpointError(
            f"expected post_extract_proj in {encoder.folder}, came none, as where convolutions are as wide as layers; "
            "transformers always has that projection"
        )
    aside = find_aside(encoder)
    kept = encoder.layout.container == TRANSFORMERS
    target: Target = {
        encoder.stored[name] if kept else _transformers_name(name, meaning): (encoder, name)
        for name in encoder.parameters
    }
    target |= {new: (encoder.rest, name) for new, name in aside.transformers.items()}
    _write_safetensors(folder, SINGLE_FILE, target, meaning.metadata)
    write_beside(encoder, meaning, folder)


def write_beside(encoder: EncoderCheckpoint, meaning: Meaning, folder: Path) -> None:
    """Write into a folder of transformers all but its weights: its texts, and what other layouts need.

    Args:
        encoder: The encoder.
        meaning: Its settings.
        folder: Where to.

    Raises:
        OSError: The disk is full, or fails.
    """
    aside = find_aside(encoder)
    for name, text in meaning.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if aside.fairseq or (meaning.settings and meaning.settings != _translate(meaning, encoder)):
        origin = {"settings": meaning.settings}
        (folder / ORIGIN_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    if aside.fairseq:
        rest: Target = {new: (encoder.rest, name) for new, name in aside.fairseq.items()}
        _write_safetensors(folder, REST_FILE, rest, PLAIN_METADATA)


def _translate(meaning: Meaning, encoder: EncoderCheckpoint) -> dict[str, Any]:
    return to_fairseq(meaning.family, meaning.config, encoder.folder, normalize=meaning.normalize)


def _transformers_name(name: str, meaning: Meaning) -> str:
    return meaning.prefix + (names.antiquate(name) if meaning.old_weight_norm else name)


def _write_safetensors(folder: Path, file: str, target: Target, metadata: Mapping[str, str]) -> None:
    parameters = [replace(target[new][0].parameters[target[new][1]], name=new, view=None) for new in sorted(target)]
    (shard,) = lay_out(parameters, metadata)
    shards = (replace(shard, file=file),)
    with ExitStack() as stack:
        opened: dict[int, Weights] = {}
        for checkpoint, _ in target.values():
            if id(checkpoint) not in opened:
                opened[id(checkpoint)] = stack.enter_context(Weights(checkpoint))
        writer = stack.enter_context(ShardWriter(folder, shards))
        for each in parameters:
            checkpoint, name = target[each.name]
            start = 0
            for piece in Tensor(checkpoint.parameters[name], opened[id(checkpoint)]).pieces():
                writer.write(each.name, piece, start)
                start += len(piece)
        writer.finish(metadata)


def write_s3prl(encoder: EncoderCheckpoint, meaning: Meaning, path: Path) -> tuple[str, ...]:
    """Write the file that s3prl's `hubert_custom`, `wav2vec2_custom`, `wavlm_local` or `decoar2_custom` loads.

    Args:
        encoder: The encoder.
        meaning: Its settings.
        path: The file to make.

    Returns:
        What s3prl asks for and the encoder lacks, by fairseq's name; zeros stand for it.

    Raises:
        CheckpointError: s3prl has no place for the encoder as it is.
        OSError: The disk is full, or fails.
    """
    family, aside = meaning.family, find_aside(encoder)
    settings, heads = _choose_heads(encoder, meaning, aside)
    shapes = {name: parameter.shape for name, parameter in encoder.parameters.items()}
    filled = {} if heads else fillers(family, shapes)
    if "masked_spec_embed" not in shapes and family != "decoar2":
        filled["mask_emb"] = Parameter("mask_emb", "F32", shapes["encoder.layer_norm.weight"])
    with Weights(encoder) as weights, Weights(encoder.rest) as rest:
        tensors = {new: Tensor(encoder.parameters[name], weights) for new, name in _fairseq_names(encoder, meaning)}
        tensors |= {new: Tensor(encoder.rest.parameters[aside.fairseq[new]], rest) for new in heads}
        tensors |= {new: Tensor(each) for new, each in filled.items()}
        key = "model_weight" if family in ("hubert", "wav2vec2") else "model"
        tree: dict[str, Any] = {**settings, key: dict(sorted(tensors.items()))}
        ours = _keep(meaning, settings, encoder)
        extra = {new: name for new, name in aside.fairseq.items() if new not in heads}
        for word, kept in (("rest", aside.transformers), ("extra", extra)):
            if kept:
                ours[word] = {new: Tensor(encoder.rest.parameters[kept[new]], rest) for new in sorted(kept)}
        if filled:
            ours["filled"] = sorted(filled)
        if ours:
            tree[OURS] = ours
        write_torch_file(path, tree)
    return tuple(sorted(filled))


def _choose_heads(encoder: EncoderCheckpoint, meaning: Meaning, aside: Aside) -> tuple[dict[str, Any], set[str]]:
    """Give the settings to write, and the names of the pre-training parameters that the model of these settings has."""
    family = meaning.family
    if family == "decoar2":
        return {}, set(aside.fairseq)
    settings = dict(meaning.settings or {})
    # Heads are of no use to s3prl in other sizes than the settings say, and translated settings say nothing of them.
    if ("cfg" if family == "wavlm" else "model_cfg") not in settings:
        return dict(sorted(_translate(meaning, encoder).items())), set()
    if family == "hubert":
        rate = (settings.get("task_cfg") or {}).get("label_rate", LABEL_RATE)
        settings["model_cfg"] = {"label_rate": rate} | settings["model_cfg"]
        settings.setdefault("dictionaries_symbols", [None])
    heads = wanted(family, settings)
    if not heads <= set(aside.fairseq):
        settings, heads = without_heads(family, settings), set()
    return dict(sorted(settings.items())), heads


def _fairseq_names(encoder: EncoderCheckpoint, meaning: Meaning) -> list[tuple[str, str]]:
    group_norm = meaning.config.get("feat_extract_norm", "group") == "group"
    pairs = [(names.to_fairseq(name, group_norm=group_norm), name) for name in encoder.parameters]
    unknown = [name for new, name in pairs if new is None]
    if unknown:
        raise CheckpointError(
            f"expected parameters that s3prl has too in {encoder.folder}, came {', '.join(map(repr, unknown[:4]))} "
            f"({len(unknown)} in all); it has no place for them"
        )
    projected = meaning.family != "decoar2" and "feature_projection.projection.weight" in encoder.parameters
    # DeCoAR 2.0 has no convolutions.
    width = meaning.config.get("conv_dim", CONVOLUTIONS["conv_dim"])[-1] if projected else 0
    if width == meaning.config.get("hidden_size", 768):
        raise CheckpointError(
            f"expected convolutions narrower or wider than the layers in {encoder.folder}, came {width} channels for "
            "both; s3prl has no feature_projection.projection then"
        )
    return [(new, name) for new, name in pairs if new is not None]


def _keep(meaning: Meaning, settings: Settings, encoder: EncoderCheckpoint) -> dict[str, Any]:
    config, normalize = to_transformers(meaning.family, settings, encoder.folder)
    generated = meaning.files == write_files(meaning.family, config, normalize=normalize)
    if generated and not meaning.prefix and meaning.metadata == PLAIN_METADATA:
        return {}
    return {
        "files": dict(sorted(meaning.files.items())),
        "prefix": meaning.prefix,
        "old_weight_norm": meaning.old_weight_norm,
        "metadata": dict(sorted(meaning.metadata.items())),
    }
