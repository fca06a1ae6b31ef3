"""What the toolkit must know of an encoder family beyond what its transformers class says."""

from __future__ import annotations

from dataclasses import dataclass

from mergekit_speech.errors import CheckpointError


@dataclass(frozen=True)
class Family:
    """One encoder architecture.

    Attributes:
        model_type: The word in `config.json` that names the family.
        title: The name that papers use.
        model_class: Name of the bare encoder's class in `transformers`.
        downsampler: Prefix of the parameters of the downsampling module (the CNN), which stable fine-tuning freezes.
        never_merged: Globs of the parameters that exist only for pre-training and keep the base's values.
    """

    model_type: str
    title: str
    model_class: str
    downsampler: str
    never_merged: tuple[str, ...]


def families() -> dict[str, Family]:
    """The families by the `model_type` of their `config.json`."""
    from mergekit_speech.encoders import hubert, wav2vec2, wavlm

    return {module.FAMILY.model_type: module.FAMILY for module in (hubert, wav2vec2, wavlm)}


def family_of(model_type: object, where: object) -> Family:
    """Finds the family that a `config.json` names.

    Raises:
        CheckpointError: No family has that `model_type`.
    """
    known = families()
    if not isinstance(model_type, str) or model_type not in known:
        raise CheckpointError(
            f"{where}: model_type {model_type!r} is not a speech encoder of this toolkit; known: {', '.join(known)}"
        )
    return known[model_type]
