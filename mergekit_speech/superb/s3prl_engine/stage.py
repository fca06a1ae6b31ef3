"""What s3prl finds in its process: stand-ins, and the one encoder of the moment."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.superb.named_encoder import NamedEncoder
from mergekit_speech.superb.s3prl_engine.forms import FORMS
from mergekit_speech.superb.s3prl_engine.stand_ins import stand_in
from mergekit_speech.superb.s3prl_engine.upstream import NAME, EncoderUpstream

_loaded: list[Encoder] = []


def prepare(named: NamedEncoder) -> None:
    """Makes an encoder the one that s3prl's upstream of ours is, and imports what s3prl would import while it trains.

    Raises:
        CheckpointError: It cannot be built.
        ShardError: Its weights are damaged.
    """
    _stand_in()
    _loaded[:] = [named.load()]


@cache
def _stand_in() -> None:
    stand_in({NAME: _upstream})
    for name in ("librosa.core.audio", "s3prl.nn", *(f"s3prl.problem.{form.module}" for form in FORMS.values())):
        import_module(name)


def _upstream(**_: Any) -> EncoderUpstream:
    # s3prl tries a new upstream on the CPU, whatever the device of the model that it was part of before.
    return EncoderUpstream(_loaded[0].cpu())
