"""An LSTM over rows of different lengths that hold padding behind them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mergekit_speech.encoders.encoder import frame_mask


def run_lstm(lstm: nn.LSTM, rows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Runs an LSTM over each row as if it stood alone; what it gives behind a row's end is 0.

    On a CPU the backward pass of torch's packed sequences adds up the gradient of the weights at every frame, which
    takes many times as long as one fused pass over padded rows: here rows are turned around instead of packed.

    Args:
        lstm: Takes its rows first (`batch_first`); without projections.
        rows: Shape `(batch, frames, dim)`.
        lengths: int64, frames of each row that count, shape `(batch,)`.

    Returns:
        Shape `(batch, frames, directions * hidden)`.
    """
    if rows.device.type != "cpu":
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=rows.shape[1])[0]
    directions = 2 if lstm.bidirectional else 1
    around = _turned(lengths, rows.shape[1])
    for layer in range(lstm.num_layers):
        if layer:
            rows = functional.dropout(rows, lstm.dropout, lstm.training)
        weights = lstm.all_weights[layer * directions : (layer + 1) * directions]
        states = [_one_way(lstm, weights[0], rows)]
        if lstm.bidirectional:
            states.append(_turn(_one_way(lstm, weights[1], _turn(rows, around)), around))
        rows = torch.cat(states, dim=2)
    return rows * frame_mask(lengths, rows.shape[1])[:, :, None]


def _one_way(lstm: nn.LSTM, weights: Sequence[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    start = rows.new_zeros(1, len(rows), lstm.hidden_size)
    output: torch.Tensor = torch.lstm(
        rows, (start, start), list(weights), lstm.bias, 1, 0.0, lstm.training, False, True
    )[0]
    return output


def _turned(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """Places that turn each row around up to its length, int64, shape `(batch, frames)`."""
    places = torch.arange(frames, device=lengths.device)[None, :]
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _turn(rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return rows.gather(1, places[:, :, None].expand(-1, -1, rows.shape[2]))
