"""What every kind of stable fine-tuning shares: what moves when, and which weights are kept."""

from __future__ import annotations

import abc
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from mergekit_speech.encoders.pretrained import PretrainedEncoder
from mergekit_speech.finetuning.adapters import add_adapters, fold_adapters
from mergekit_speech.finetuning.ema import Ema
from mergekit_speech.finetuning.l2 import L2ToBase
from mergekit_speech.finetuning.method import STABLE, Method
from mergekit_speech.training.learner import Learner


class StableLearner(Learner):
    """An encoder with a head: the CNN never moves, the rest of the encoder after the thaw, the head always.

    An encoder without a CNN moves as a whole. A `Method` may say otherwise.

    Source: Speech-FT (arXiv 2502.12672), section III.

    Attributes:
        encoder: What is fine-tuned.
        head: What reads it.
        ema: The moving average of all weights that move, if the method asks for one.
    """

    def __init__(self, encoder: PretrainedEncoder, head: nn.Module, thaw: int, method: Method = STABLE) -> None:
        """Freezes what never moves.

        Args:
            encoder: What is fine-tuned; owned from here on.
            head: What reads it; all of it moves that asks for gradients.
            thaw: First step, counted from 0, that updates the encoder.
            method: What is done otherwise.

        Raises:
            SettingsError: The method does not suit the encoder.
        """
        super().__init__()
        encoder.freeze(cnn=not method.train_cnn)
        self.encoder, self.head = encoder, head
        if method.adapter:
            add_adapters(encoder, method.adapter)
        moving = {name: each for name, each in encoder.model.named_parameters() if each.requires_grad}
        self._names = frozenset(moving)
        self._l2 = L2ToBase(moving, encoder.depth - 1, method.l2) if method.l2 else None
        self.ema = Ema(self.trained(), method.ema) if method.ema else None
        self._thaw = thaw
        self._thawed: bool | None = None

    @abc.abstractmethod
    def objective(self, batch: Any) -> torch.Tensor:
        """The loss of a batch without what the method adds: a scalar, the mean over its items."""

    def forward(self, batch: Any) -> torch.Tensor:
        """See `Learner.forward`."""
        loss = self.objective(batch)
        return loss if self._l2 is None or not self._thawed else loss + self._l2(self._moving())

    def samples(self, batch: Any) -> int:
        """See `Learner.samples`."""
        width: int = batch.samples
        return width

    def widened(self, batch: Any, samples: int) -> Any:
        """See `Learner.widened`."""
        return batch.widened(samples) if samples > batch.samples else batch

    def trained(self) -> list[nn.Parameter]:
        """See `Learner.trained`: the head, and what moves of the encoder."""
        return [*(each for each in self.head.parameters() if each.requires_grad), *self._moving()]

    def enter(self, step: int) -> bool:
        """See `Learner.enter`: thaws the encoder when its step has come."""
        thawed = step >= self._thaw
        changed = thawed is not self._thawed
        if changed:
            for parameter in self._moving():
                parameter.requires_grad_(thawed)
            self._thawed = thawed
        return changed

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Has the weights in place that are judged and kept, for as long as the block lasts."""
        if self.ema is None:
            yield
        else:
            with self.ema.in_place():
                yield

    def tuned(self) -> PretrainedEncoder:
        """The encoder as it is kept: a copy, averaged if the method says so, with adapters added to its weights."""
        with self.judged():
            encoder = copy.deepcopy(self.encoder)
        fold_adapters(encoder)
        return encoder

    def _moving(self) -> list[nn.Parameter]:
        """Parameters of the encoder that move once it thaws, looked up anew, since FSDP puts others in their place."""
        return [each for name, each in self.encoder.model.named_parameters() if name in self._names]

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.encoder.parameters()).device
