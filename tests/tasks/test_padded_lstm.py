"""LSTMs over padded rows give what torch gives for each row alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mergekit_speech.tasks.parts.padded_lstm import run_lstm


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    layers=st.integers(1, 2),
    both=st.booleans(),
    bias=st.booleans(),
)
def test_rows_are_what_they_are_alone(lengths: list[int], layers: int, both: bool, bias: bool) -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4, layers, bias=bias, batch_first=True, bidirectional=both)
    frames = max(lengths) + 1
    rows = torch.full((len(lengths), frames, 3), 1e3)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.randn(length, 3)
    together = run_lstm(lstm, rows, torch.tensor(lengths))
    for row, output, length in zip(rows, together, lengths, strict=True):
        torch.testing.assert_close(output[:length], lstm(row[None, :length])[0][0], atol=1e-6, rtol=1e-5)
        assert not output[length:].any()


def test_gradients_are_those_of_packed_rows() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    rows, lengths = torch.randn(3, 7, 3), torch.tensor([7, 2, 5])
    found = torch.autograd.grad(run_lstm(lstm, rows, lengths).square().sum(), list(lstm.parameters()))
    packed = nn.utils.rnn.pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
    expected = torch.autograd.grad(lstm(packed)[0].data.square().sum(), list(lstm.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_between_layers_in_training_alone(training: bool) -> None:
    lstm = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.5).train(training)
    rows, lengths = torch.randn(2, 5, 3), torch.tensor([5, 3])
    same = torch.equal(run_lstm(lstm, rows, lengths), run_lstm(lstm, rows, lengths))
    assert same is not training
