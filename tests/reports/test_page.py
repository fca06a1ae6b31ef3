"""The page of a report."""

from __future__ import annotations

import base64
import csv
import html
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.reports.kinds import kind_of, page
from tests.reports.documents import analysis_document, bench_document, eventful, sweep_document
from tests.superb.benches import bench_of
from tests.superb.corpus import report


def attached() -> dict[str, Any]:
    return {**bench_document(), "attached": [sweep_document(), analysis_document()]}


DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "bench": bench_document,
    "eventful": lambda: bench_document(eventful()),
    "sweep": sweep_document,
    "analysis": analysis_document,
    "attached": attached,
    "one encoder": lambda: bench_document(report({"base": {"ks": {"acc": [0.5]}}}, "speech-ft")),
    "one seed": lambda: bench_document(bench_of(seeds=1)),
}


class Balance(HTMLParser):
    """Notices elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def links(text: str) -> dict[str, str]:
    """What every download link of a page gives, by file name."""
    found = re.findall(r'href="data:([^"]+)" download="([^"]+)"', text)
    return {name: base64.b64decode(html.unescape(data).partition("base64,")[2]).decode() for data, name in found}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_page_is_well_formed_and_needs_nothing_else(name: str) -> None:
    text = page(DOCUMENTS[name]())
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert "<script" not in text
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "nan" not in re.findall(r'="(nan)', text)
    for file, content in links(text).items():
        if file.endswith(".svg"):
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
            assert "var(" not in content
        else:
            rows = list(csv.reader(io.StringIO(content)))
            assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_same_results_give_the_same_bytes(name: str) -> None:
    assert page(DOCUMENTS[name]()) == page(DOCUMENTS[name]())


def test_page_of_a_bench_has_every_part() -> None:
    text = page(bench_document())
    for heading in ("Summary", "Figures by task", "SUPERB score", "Layers", "Provenance"):
        assert f"<h2>{heading}</h2>" in text
    assert "tuned against base: better on PR PER" in text
    assert "merged against base: worse on KS accuracy" in text
    assert links(text).keys() >= {"deltas.svg", "deltas.csv", "figures.svg", "superb-score.svg", "layer-weights.csv"}
    assert "blake3:tuned" in text
    assert "prefers-color-scheme: dark" in text


def test_captions_claim_no_intervals_where_there_are_none() -> None:
    document = bench_document(report({"base": {"ks": {"acc": [0.5]}}, "tuned": {"ks": {"acc": [0.6]}}}, "speech-ft"))
    assert "Means over seeds; arrows" in page(document)
    assert "Filled marks" not in page(document)
    assert "Means over seeds with 95 % intervals; arrows" in page(bench_document())
    assert "Filled marks" in page(bench_document())


def test_rows_behind_a_heat_map_are_folded() -> None:
    text = page(analysis_document())
    assert text.count("rows behind it</summary>") == 2
    assert "<summary>The 6 rows behind it</summary>" in text
    assert "rows behind it" not in page(bench_document())


def test_data_behind_the_forest_plot_is_that_of_the_results() -> None:
    document = bench_document()
    (first, *_) = csv.DictReader(io.StringIO(links(page(document))["deltas.csv"]))
    (figure,) = [f for f in document["figures"] if (f["task"], f["encoder"]) == ("pr", "tuned")]
    assert (first["encoder"], first["verdict"]) == ("tuned", "better")
    assert [float(first[key]) for key in ("delta", "low", "high")] == [
        figure["delta"]["mean"],
        *figure["delta"]["interval"],
    ]


def test_labels_failures_rates_and_origins_are_shown_as_they_are() -> None:
    text = page(bench_document(eventful()))
    assert "&lt;b&gt;|[i]" in text
    assert "<b>" not in text
    assert "Failed: &lt;b&gt;|[i], ks: hidden states hold values that are not finite" in text
    assert "<h2>Learning rates</h2>" in text
    assert "alpha: 0.25 # &lt;&amp;&gt;" in text


def test_sweep_and_analysis_have_their_figures() -> None:
    text = page(attached())
    assert links(text).keys() >= {"curves.svg", "curves.csv", "similarity.svg", "deviation.svg", "connectivity.csv"}
    assert "Picked by validation: linear 0.25 (lowest PER on validation)." in text
    assert "The tuned encoder is farther from the base than the merged one." in text


@pytest.mark.parametrize("kind", ["benches", None, 3])
def test_unknown_kind_is_named(kind: object) -> None:
    with pytest.raises(DataError, match="expected results of a kind among bench, sweep, analysis, came "):
        kind_of({"kind": kind})
