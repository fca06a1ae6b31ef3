"""How the passes through an encoder are computed: with less memory, or compiled."""

from __future__ import annotations

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.training.ranks import sharded


def checkpoint_gradients(encoder: PretrainedEncoder) -> None:
    """Computes the layers' states again in the backward pass in place of keeping them; the result is the same.

    Raises:
        SettingsError: The family cannot.
    """
    if not getattr(encoder.model, "supports_gradient_checkpointing", False):
        raise SettingsError(
            f"{encoder.family.title} has no gradient checkpointing: leave out --gradient-checkpointing, and give a"
            " smaller --batch and a larger --accumulate"
        )
    # Older transformers have it under another name.
    enable = getattr(encoder.model, "activation_checkpointing_enable", encoder.model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})


def compile_encoder(encoder: PretrainedEncoder) -> None:
    """Compiles the encoder's passes when they first happen; its parameters keep their names.

    Raises:
        SettingsError: The encoder is to be cut into shares.
    """
    if sharded():
        raise SettingsError(
            "expected a whole encoder to compile, came FSDP: launch with --multi_gpu, or leave out --compile"
        )
    encoder.model.compile(dynamic=True)
