"""Opening an input: a speech encoder of any layout under the names of transformers, anything else as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.detect import CONFIG, FAIRSEQ, RUN, S3PRL, TRANSFORMERS, WEIGHTS, Found, find
from mergekit_speech.layouts.names import NEVER_MERGED, antiquate, find_prefix, is_fairseq
from mergekit_speech.layouts.read import EncoderCheckpoint, read_encoder
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.reader import Checkpoint, open_checkpoint

if TYPE_CHECKING:
    from mergekit_speech.layouts.meaning import Meaning

# Every encoder of waveforms or bands has this one, and hardly any other model.
SIGN = "feature_projection.projection.weight"


@dataclass(frozen=True)
class Reading:
    """What is known of an input that is a speech encoder.

    Attributes:
        encoder: It, by canonical names.
        canonical: Canonical name of each of its parameters, by the name in the plan.
        apart: Why a tensor that the plan does not know is none of the encoder, by its name in the file.
        meaning: Its settings, if it lends them to the result and is no folder of transformers.
    """

    encoder: EncoderCheckpoint
    canonical: Mapping[str, str]
    apart: Mapping[str, str]
    meaning: Meaning | None = None

    def stored(self, name: str) -> str:
        """Give the file's own name of a parameter, by the name in the plan."""
        return self.encoder.stored[self.canonical[name]] if name in self.canonical else name


@dataclass(frozen=True, kw_only=True)
class EncoderFile(Checkpoint):
    """An encoder of another program under the names that transformers would give it.

    Attributes:
        encoder: The same by canonical names; its digest is that of the input.
        canonical: Canonical name of each parameter of the encoder, by the name here.
    """

    encoder: EncoderCheckpoint
    canonical: Mapping[str, str]


def read_input(path: Path, settings: Sequence[Path] | None = None) -> tuple[Checkpoint, Reading | None]:
    """Open an input.

    Args:
        path: A checkpoint.
        settings: Of the input that lends the result its names and settings, where to look for settings that it lacks;
            None for any other.

    Returns:
        What is to be read, by the names with which pairing begins; and what it is, None if it is no encoder of a family
        whose names are known.

    Raises:
        CheckpointError: It is no checkpoint, holds no parameters, is a part of an encoder, or has no settings to lend.
        ShardError: A file cannot be read, is malformed, or holds objects that are not known.
    """
    found = find(path)
    if not _is_encoder(found):
        return (found.weights if found.container in (TRANSFORMERS, WEIGHTS) else open_checkpoint(path)), None
    encoder = read_encoder(path, found)
    if encoder.layout.naming == "transformers" and found.container in (TRANSFORMERS, WEIGHTS):
        if settings is not None and found.container == TRANSFORMERS and encoder.config is None:
            raise CheckpointError(
                f"expected {CONFIG} in {path}, from where the result takes its settings, came none; fetch it"
            )
        apart = {name: why for name, why in encoder.left_out.items() if name not in found.weights.parameters}
        return found.weights, Reading(encoder, {old: name for name, old in encoder.stored.items()}, apart)
    return _read_file(encoder, settings)


def _read_file(encoder: EncoderCheckpoint, settings: Sequence[Path] | None) -> tuple[Checkpoint, Reading]:
    # Other layouts take as much code as all other reading, so that only their files import it.
    from mergekit_speech.layouts.write import find_aside

    meaning = None if settings is None else _understand(encoder, settings)
    heads = find_aside(encoder).transformers
    checkpoint = _respell(encoder, heads, meaning)
    apart = {name: why for name, why in encoder.left_out.items() if name not in heads.values()}
    return checkpoint, Reading(encoder, checkpoint.canonical, apart, meaning)


def _is_encoder(found: Found) -> bool:
    if found.container == TRANSFORMERS and found.config is not None and "model_type" in found.config:
        return str(found.config["model_type"]) in NEVER_MERGED
    if found.container == RUN or (found.container in (S3PRL, FAIRSEQ) and found.config):
        return True
    names = found.weights.parameters
    prefix = find_prefix(names)
    return prefix is not None and (is_fairseq(names, prefix) or f"{prefix}{SIGN}" in names)


def _understand(encoder: EncoderCheckpoint, others: Sequence[Path]) -> Meaning:
    from mergekit_speech.layouts.meaning import understand

    if encoder.config is not None or encoder.origin:
        return understand(encoder)
    for path in others:
        found = find(path)
        if (found.config is not None or found.origin) and _is_encoder(found):
            return understand(encoder, read_encoder(path, found))
    # s3prl builds it in one size, and its files hold no settings.
    if encoder.family == "decoar2":
        return understand(encoder)
    raise CheckpointError(
        f"expected settings of the encoder in {encoder.folder} or in what is merged with it, came none; make a folder "
        "with msm convert --layout transformers --like CHECKPOINT, and merge that"
    )


def _respell(encoder: EncoderCheckpoint, heads: Mapping[str, str], meaning: Meaning | None) -> EncoderFile:
    prefix = "" if meaning is None else meaning.prefix
    old = meaning is not None and meaning.old_weight_norm
    canonical = {prefix + (antiquate(name) if old else name): name for name in encoder.parameters}
    parameters: dict[str, Parameter] = {
        **{new: replace(encoder.parameters[name], name=new) for new, name in canonical.items()},
        **{new: replace(encoder.rest.parameters[name], name=new) for new, name in heads.items()},
    }
    files = {new: encoder.files[name] for new, name in canonical.items()}
    files |= {new: encoder.rest.files[name] for new, name in heads.items()}
    return EncoderFile(encoder.folder, parameters, files, encoder.metadata, encoder=encoder, canonical=canonical)
