"""The distance to the base as a part of the loss."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mergekit_speech.errors import SettingsError
from mergekit_speech.finetuning.method import L2

LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


class L2ToBase(nn.Module):
    """An L2 penalty on the distance of parameters to where they are when this is built.

    Source: L2-SP (arXiv 1802.01483), equation 3, without a penalty on the head.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], layers: int, settings: L2) -> None:
        """Remembers where the parameters are.

        Args:
            parameters: What is pulled, by name.
            layers: Transformer layers of the encoder.
            settings: How strongly.

        Raises:
            SettingsError: There is not one factor for each layer.
        """
        super().__init__()
        factors = settings.layers
        if factors is not None and len(factors) != layers:
            raise SettingsError(
                f"expected a weight for each of the {layers} layers, got {len(factors)}: give as many, first to last"
            )
        self._weights = [settings.weight * _factor(name, factors) for name in parameters]
        for number, parameter in enumerate(parameters.values()):
            # Not in checkpoints: a resumed run reads the base again.
            self.register_buffer(f"base{number}", parameter.detach().clone(), persistent=False)

    def forward(self, parameters: Sequence[nn.Parameter]) -> torch.Tensor:
        """The penalty of where the parameters are now: a scalar."""
        bases = dict(self.named_buffers())
        parts = [
            weight * (parameter - bases[f"base{number}"]).square().sum()
            for number, (weight, parameter) in enumerate(zip(self._weights, parameters, strict=True))
            if weight
        ]
        return torch.stack(parts).sum() / 2 if parts else torch.zeros((), device=parameters[0].device)


def _factor(name: str, factors: tuple[float, ...] | None) -> float:
    found = LAYER.search(name) if factors else None
    # Without its "encoder." the CNN's list of layers is called conv_layers, which the pattern does not match.
    return factors[int(found[1])] if found and factors else 1.0
