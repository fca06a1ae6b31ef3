"""The toolkit's encoders as s3prl's upstreams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.errors import CheckpointError

NAME = "mergekit_speech"


class EncoderUpstream(nn.Module):
    """A frozen encoder under the interface of s3prl's upstreams: the very features that native probes get."""

    def __init__(self, encoder: Encoder) -> None:
        """Wraps an encoder, which is frozen from here on."""
        super().__init__()
        self.encoder = encoder.requires_grad_(False)

    def forward(self, waveforms: Sequence[torch.Tensor]) -> dict[str, Any]:
        """Encodes waveforms of shape `(samples,)`; `hidden_states` is the encoder's, padded to the longest.

        Raises:
            CheckpointError: The encoder gives values that are not finite, on which s3prl would train in silence.
        """
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        padded = nn.utils.rnn.pad_sequence(list(waveforms), batch_first=True)
        states = self.encoder(padded, lengths.to(padded.device)).states
        if not all(bool(state.isfinite().all()) for state in states):
            raise CheckpointError("hidden states are not finite: the encoder's weights, or a clip, are damaged")
        return {"hidden_states": states}

    def get_downsample_rates(self, key: str) -> int:
        """Samples between two frames, of whatever features."""
        return self.encoder.stride
