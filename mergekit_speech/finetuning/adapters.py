"""LoRA and DoRA through peft: matrices go into an encoder, and are added to its weights at the end."""

from __future__ import annotations

from typing import Any

from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.method import Adapter
from mergekit_speech.registry import suggestion

TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense", "fc1", "fc2")
"""Linear layers of attention and feed-forward modules, as the families of transformers call them."""
UNCALLED = {"wavlm": ("q_proj", "k_proj", "v_proj", "out_proj")}
"""Linear layers of which the model takes the weight without calling them, so that an adapter on them does nothing."""


def add_adapters(encoder: PretrainedEncoder, adapter: Adapter) -> None:
    """Puts matrices beside the encoder's linear layers; from here on only they have gradients.

    Raises:
        SettingsError: No layer has such a name, or an adapter on it would do nothing.
    """
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha or 2 * adapter.rank,
        target_modules=_targets(encoder, adapter.targets),
        use_dora=adapter.kind == "dora",
    )
    LoraModel(encoder.model, config, "default")


def fold_adapters(encoder: PretrainedEncoder) -> None:
    """Adds the matrices to the weights and takes them out: the encoder has the parameters that it came with."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [(name, module) for name, module in encoder.model.named_modules() if isinstance(module, BaseTunerLayer)]
    for name, layer in layers:
        wrapped: Any = layer
        wrapped.merge()
        owner, _, last = name.rpartition(".")
        setattr(encoder.model.get_submodule(owner), last, wrapped.get_base_layer())


def _targets(encoder: PretrainedEncoder, chosen: tuple[str, ...]) -> list[str]:
    linear = {name for name, module in encoder.model.named_modules() if isinstance(module, nn.Linear)}
    linear = {name for name in linear if not name.startswith(encoder.family.frozen)}
    uncalled = UNCALLED.get(encoder.family.model_type, ())
    lasts = sorted({name.rpartition(".")[2] for name in linear})
    for name in chosen:
        if name not in lasts:
            raise SettingsError(
                f"expected a linear layer for an adapter, got {name!r}{suggestion(name, lasts)}; {encoder.family.title}"
                f" has: {', '.join(lasts)}"
            )
        if name in uncalled:
            raise SettingsError(
                f"an adapter on {name!r} does nothing in {encoder.family.title}, whose attention reads the weight"
                " without calling the layer: choose layers of the feed-forward modules"
            )
    wanted = chosen or tuple(name for name in TARGETS if name not in uncalled)
    return sorted(name for name in linear if name.rpartition(".")[2] in wanted)
