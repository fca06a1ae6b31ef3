"""The plan of the demo clips is fixed, within ranges, and free of repeats."""

from __future__ import annotations

from collections import Counter

from mergekit_speech.demo.script import WORDS, utterances
from mergekit_speech.demo.voices import VOICES


def test_the_plan_is_the_same_each_time() -> None:
    assert utterances() == utterances()


def test_ids_and_deliveries_are_unique() -> None:
    plan = utterances()
    assert len({utterance.id for utterance in plan}) == len(plan)
    assert len({(utterance.voice, utterance.words, utterance.delivery) for utterance in plan}) == len(plan)


def test_single_words_are_keywords_and_phrases_have_two_to_four_different_words() -> None:
    for utterance in utterances():
        assert set(utterance.words) <= set(WORDS)
        assert len(set(utterance.words)) == len(utterance.words)
        single = dict(utterance.splits).keys() == {"ks"}
        assert len(utterance.words) in ((1,) if single else (2, 3, 4))


def test_a_voice_says_as_much_as_any_other() -> None:
    assert len(set(Counter(utterance.voice.speaker for utterance in utterances()).values())) == 1


def test_deliveries_stay_in_the_range_of_the_synthesiser() -> None:
    for utterance in utterances():
        delivery = utterance.delivery
        assert 0 <= delivery.pitch <= 99
        assert 80 <= delivery.speed <= 450
        assert 0 < delivery.amplitude <= 200
        assert delivery.lead > 0 < delivery.tail


def test_voices_differ_in_name_and_timbre() -> None:
    assert len({voice.speaker for voice in VOICES}) == len({voice.espeak for voice in VOICES}) == len(VOICES)
