"""Words of the demo clips become ARPAbet phones without stress."""

from __future__ import annotations

import pytest

from mergekit_speech.demo.phones import pronounce
from mergekit_speech.errors import DataError


def test_phones_of_words_follow_each_other_without_stress() -> None:
    assert pronounce(["no", "STOP"]) == ["N", "OW", "S", "T", "AA", "P"]


def test_nothing_is_pronounced_as_nothing() -> None:
    assert pronounce([]) == []


def test_a_word_that_the_dictionary_lacks_is_named() -> None:
    with pytest.raises(DataError) as caught:
        pronounce(["no", "qwrtz"])
    expected = "expected a word of the CMU Pronouncing Dictionary, got 'qwrtz': spell it as listed there"
    assert str(caught.value) == expected
