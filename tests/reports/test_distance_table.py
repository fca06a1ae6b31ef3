"""The table of distances."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from mergekit_speech.analysis.distance import Comparison, Distance
from mergekit_speech.reports.distance_table import distance_table
from tests.reports.distances import COMPARISON


def show(comparison: Comparison, rows: tuple[Distance, ...]) -> str:
    text = StringIO()
    Console(file=text, width=160).print(distance_table(comparison, rows))
    return text.getvalue()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃\n").replace("┃", "│").split("│")]


def test_rows_and_whole() -> None:
    lines = show(COMPARISON, COMPARISON.parts).splitlines()
    header = ["part", "elements", "L2", "relative L2", "cosine", "same sign", "delta cosine", "delta same sign"]
    assert cells(lines[1]) == header
    assert cells(lines[3]) == [
        "$feature_extractor$",
        "1,234,567",
        "0",
        "0.00 %",
        "1.000000",
        "100.00 %",
        "–",
        "100.00 %",
    ]
    assert cells(lines[4]) == ["layer 0", "42", "1.5", "1.23 %", "0.999910", "98.70 %", "−0.250000", "50.00 %"]
    assert cells(lines[5])[2:5] == ["inf", "nan %", "–"]


def test_caption_names_the_paths_and_what_else_differs() -> None:
    text = show(COMPARISON, COMPARISON.parts)
    assert "two against one; relative to the norm of the latter. Deltas are from base. Not floating-point, and" in text
    assert "not the same: step. Left out of two: 2 (head of a task model)." in " ".join(text.split())


def test_without_a_base_there_are_no_deltas() -> None:
    text = show(replace(COMPARISON, base=None), COMPARISON.parameters)
    assert "delta" not in text
    assert "Deltas" not in text
    assert "parameter" in text
