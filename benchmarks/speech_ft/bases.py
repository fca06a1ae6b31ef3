"""Small bases of other families, pre-trained from unlabelled speech for one to two hours of a core each."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.speech_ft.matrix import PRECISION, Base
from benchmarks.speech_ft.turns import turn
from mergekit_speech.pretraining.masking import Masking
from mergekit_speech.pretraining.run import pretrain
from mergekit_speech.pretraining.selection import pretraining_clips
from mergekit_speech.pretraining.settings import EncoderShape, PretrainSettings, Round

HEARD = ("asr", "ks", "slu", "unlabelled_en", "unlabelled_zh")
HELD_OUT = ("sd",)
# The shorter spans and the loss on frames in sight are those of the shipped HuBERT, which learns little without them.
SETTINGS = {
    "wav2vec2": PretrainSettings(
        shape=EncoderShape(family="wav2vec2", norm="layer"),
        rounds=(Round(None, 4000, None),),
        batch_seconds=24,
        dropout=0,
        masking=Masking(10, 0.65),
        precision=PRECISION,
    ),
    "wavlm": PretrainSettings(
        shape=EncoderShape(family="wavlm"),
        rounds=(Round(100, 1500, None), Round(200, 2500, 3)),
        batch_seconds=24,
        learning_rate=1e-3,
        dropout=0,
        masking=Masking(5, 0.5),
        unmasked_weight=1,
        restart=False,
        precision=PRECISION,
    ),
}


def others(work: Path) -> tuple[Base, ...]:
    """The bases, whether they are there yet or not."""
    return tuple(Base(name, _folder(work, name) / "encoder") for name in SETTINGS)


def pretrain_base(base: Base, data: Path, work: Path) -> None:
    """Makes a base, and goes on with one that was broken off; one that another process makes is left to it."""
    with turn(work, f"pretrain-{base.name}") as mine:
        if mine and not base.path.is_dir():
            print(f"{time.strftime('%H:%M:%S')} pre-training {base.name}", flush=True)
            clips = pretraining_clips(data, HEARD, HELD_OUT)
            pretrain(clips, _folder(work, base.name), SETTINGS[base.name], resume=True)


def _folder(work: Path, name: str) -> Path:
    return work / "bases" / name
