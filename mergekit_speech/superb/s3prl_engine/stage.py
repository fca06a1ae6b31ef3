"""What s3prl finds in its process: stand-ins, and the one encoder of the moment."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.superb.named_encoder import NamedEncoder
from mergekit_speech.superb.s3prl_engine.stand_ins import stand_in
from mergekit_speech.superb.s3prl_engine.upstream import NAME, EncoderUpstream

_loaded: list[Encoder] = []


def load(named: NamedEncoder) -> None:
    """Makes an encoder the one that s3prl's upstream of ours is.

    Raises:
        CheckpointError: It cannot be built.
        ShardError: Its weights are damaged.
    """
    _stand_in()
    _loaded[:] = [_encoder(named)]


@cache
def _stand_in() -> None:
    stand_in({NAME: _upstream})


@lru_cache(maxsize=1)
def _encoder(named: NamedEncoder) -> Encoder:
    return named.load()


def _upstream(**_: Any) -> EncoderUpstream:
    # s3prl tries a new upstream on the CPU, whatever the device of the model that it was part of before.
    return EncoderUpstream(_loaded[0].cpu())
