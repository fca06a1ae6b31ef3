"""QUESST 2014: its English part, as SUPERB takes it; queries of dev validate, those of eval test.

A query's label is its name. What a searched clip holds is read from the ground truth for the official scorer: `*.rttm`
tells in which clips a query is said, by its name or by its term, which the term list (`*.tlist.xml`) gives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from mergekit_speech.errors import DataError
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

LANGUAGE = "nnenglish"
QUERIES = {"dev": "query_valid", "eval": "query"}


def _qbe(source: Source) -> Folder:
    source = source.within("quesst14Database")
    entries = [
        Entry(path.stem, path, split, {"label": path.stem})
        for part, split in QUERIES.items()
        for path in _recordings(source, part)
    ]
    held: dict[str, set[str]] = defaultdict(set)
    for part in QUERIES:
        _hear(source, f"scoring/groundtruth_quesst14_{part}", held)
    names = {entry.id for entry in entries}
    documents = [
        Entry(path.stem, path, "doc", {"label": sorted(held[path.stem] & names)})
        for path in _recordings(source, "utterances")
    ]
    return Folder([*entries, *documents])


def _recordings(source: Source, part: str) -> list[Path]:
    paths = []
    for line in source.lines(f"scoring/language_key_{part}.lst"):
        match line.text.split():
            case [name, language] if "/" in name:
                if language == LANGUAGE:
                    # The list's first folder is that of the database.
                    paths.append(source.root / name.partition("/")[2])
            case _:
                raise line.fault("the path of a recording and its language")
    return paths


def _hear(source: Source, folder: str, held: dict[str, set[str]]) -> None:
    """Adds to each clip the queries that are said in it."""
    queries = _queries(source.files(f"{folder}/*.tlist.xml")[0])
    for path in source.files(f"{folder}/*.rttm"):
        for line in source.lines(str(path.relative_to(source.root))):
            if line.text.startswith("LEXEME"):
                columns = line.text.split()
                if len(columns) < 6:
                    raise line.fault("LEXEME, a clip, a channel, start, duration and a term")
                held[columns[1]].update(queries.get(columns[5], ()))


def _queries(path: Path) -> Mapping[str, set[str]]:
    """Names of the queries by the term that they say, and by their own name."""
    try:
        terms = ElementTree.parse(path).getroot().findall(".//term")
    except ElementTree.ParseError as fault:
        raise DataError(f"{path}: expected an XML term list, came none ({fault}): unpack the corpus again") from fault
    queries: dict[str, set[str]] = defaultdict(set)
    for term in terms:
        name = term.get("termid", "")
        queries[name].add(name)
        queries[(term.findtext("termtext") or name).strip()].add(name)
    return queries


CORPUS = Corpus(
    title="QUESST 2014",
    about="English queries and utterances",
    licence="see its README",
    size="not stated",
    url="https://speech.fit.vutbr.cz/files/quesst14Database.tgz",
    folders={"qbe": _qbe},
)
