"""What is said in the demo clips, by whom, how, and for which task and split: the plan, without any sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from mergekit_speech.demo.voices import VOICES, Voice

WORDS: Final = ("yes", "no", "up", "down", "left", "right", "stop", "go", "on", "off")
PHRASES_PER_VOICE: Final = 20

TAKES_PER_WORD: Final = 2

# No task trains on these: what `sid` is judged on stays unheard by an encoder that was tuned on `pr` or `ks`.
HELD_BACK_PER_VOICE: Final = {"valid": 2, "test": 4}


@dataclass(frozen=True)
class Delivery:
    """How one utterance is spoken and recorded.

    Attributes:
        pitch: In espeak-ng's units, 0 to 99.
        speed: Words a minute.
        amplitude: In espeak-ng's units, 0 to 200.
        lead: Noise before the first sound, seconds.
        tail: Noise after the last sound, seconds.
        snr: Speech over background noise, decibels.
    """

    pitch: int
    speed: int
    amplitude: int
    lead: float
    tail: float
    snr: float


@dataclass(frozen=True)
class Utterance:
    """One clip to be made.

    Attributes:
        id: Unique name, also the stem of the audio file.
        words: One to four words, lower case.
        voice: Who speaks.
        delivery: How.
        splits: Pairs of task and split: every manifest that lists the clip.
    """

    id: str
    words: tuple[str, ...]
    voice: Voice
    delivery: Delivery
    splits: tuple[tuple[str, str], ...]


def utterances() -> list[Utterance]:
    """List every demo clip, always the same ones in the same order.

    Returns:
        Single words for `ks`, then phrases for `pr` and `sid`; no phrase occurs twice.
    """
    return [*_single_words(), *_phrases()]


def _single_words() -> Iterator[Utterance]:
    for voice in VOICES:
        for word in WORDS:
            for take in range(1, TAKES_PER_WORD + 1):
                yield _utterance(f"{voice.speaker}_{word}_{take}", (word,), voice, (("ks", voice.split),))


def _phrases() -> Iterator[Utterance]:
    phrases = _distinct_phrases(Random("demo phrases"))
    for voice in VOICES:
        uses: list[tuple[tuple[str, str], ...]] = [(("pr", voice.split), ("sid", "train"))] * PHRASES_PER_VOICE
        uses += [(("sid", split),) for split, count in HELD_BACK_PER_VOICE.items() for _ in range(count)]
        for number, splits in enumerate(uses, start=1):
            yield _utterance(f"{voice.speaker}_phrase_{number:02d}", next(phrases), voice, splits)


def _distinct_phrases(random: Random) -> Iterator[tuple[str, ...]]:
    seen: set[tuple[str, ...]] = set()
    while True:
        phrase = tuple(random.sample(WORDS, random.choice((2, 2, 3, 3, 4))))
        if phrase not in seen:
            seen.add(phrase)
            yield phrase


def _utterance(name: str, words: tuple[str, ...], voice: Voice, splits: tuple[tuple[str, str], ...]) -> Utterance:
    return Utterance(name, words, voice, _delivery(voice, Random(name)), splits)


def _delivery(voice: Voice, random: Random) -> Delivery:
    return Delivery(
        pitch=voice.pitch + random.randint(-15, 15),
        speed=voice.speed + random.randint(-20, 25),
        amplitude=random.randint(50, 110),
        lead=round(random.uniform(0.05, 0.15), 3),
        tail=round(random.uniform(0.05, 0.15), 3),
        snr=round(random.uniform(5.0, 25.0), 1),
    )
