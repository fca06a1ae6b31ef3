"""A report's folder: written whole, read back, made again."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError, OutputError
from mergekit_speech.reports import folder as module
from mergekit_speech.reports.compare import compare_reports
from mergekit_speech.reports.folder import finite, read_folder, rebuild, write_folder
from mergekit_speech.superb.document import document
from mergekit_speech.superb.results import BenchReport
from tests.reports.documents import analysis_document, sweep_document
from tests.superb.benches import RATES, bench_of

FILES = ["deltas.png", "deltas.svg", "report.html", "results.json", "rows.npz", "table.md"]


def written(found: BenchReport, folder: Path) -> Path:
    content, rows = document(found)
    write_folder(content, folder, rows=rows)
    return folder


def only(*labels: str) -> BenchReport:
    return bench_of({label: RATES[label] for label in labels})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_everything_can_be_made_again_from_the_results(tmp_path: Path) -> None:
    folder = written(bench_of(), tmp_path / "report")
    before = contents(folder)
    assert sorted(before) == FILES
    for name in ("deltas.png", "deltas.svg", "report.html", "table.md"):
        (folder / name).unlink()
    (folder / "notes.txt").write_text("mine")
    assert rebuild(folder) == json.loads(before["results.json"])
    assert contents(folder) == {**before, "notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("make", "plots"), [(sweep_document, {"curves.svg", "curves.png"}), (analysis_document, set())]
)
def test_other_kinds_have_a_folder_too(tmp_path: Path, make: object, plots: set[str]) -> None:
    assert callable(make)
    write_folder(make(), tmp_path / "report")
    assert contents(tmp_path / "report").keys() == {"results.json", "table.md", "report.html", *plots}
    assert read_folder(tmp_path / "report") == make()


def test_numbers_that_are_not_finite_are_null() -> None:
    assert finite({"a": (1.0, float("nan"), "x"), 2: [float("inf")]}) == {"a": [1.0, None, "x"], "2": [None]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected results as JSON, came"),
        ("[]", r"expected results as a JSON object, came \[\]: make the report again"),
        ('{"kind": "soup"}', "expected results of a kind among bench, sweep, analysis, came 'soup'"),
        ('{"kind": "bench"}', r"expected results of version 2, came None: make the report again, or use the"),
    ],
)
def test_results_that_cannot_be_read_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=said):
        rebuild(tmp_path)


def test_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a report with results\.json in .*gone', came none: check the path"):
        read_folder(tmp_path / "gone")


def test_full_disk_leaves_the_report_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(bench_of(), tmp_path / "report")
    before = contents(folder)

    def full(_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "page", full)
    with pytest.raises(OutputError, match=r"cannot write into .*report \(No space left on device\): make room"):
        rebuild(folder)
    assert contents(folder) == before


def test_several_reports_become_one(tmp_path: Path) -> None:
    apart = [written(only("base", "tuned"), tmp_path / "a"), written(only("base", "merged"), tmp_path / "b")]
    write_folder(analysis_document(), tmp_path / "c")
    compare_reports([*apart, tmp_path / "c"], tmp_path / "all")
    together, whole = read_folder(tmp_path / "all"), read_folder(written(bench_of(), tmp_path / "whole"))
    assert together["figures"] == whole["figures"]
    assert together["score"] == whole["score"]
    assert together["attached"] == [analysis_document()]
    compare_reports([tmp_path / "all", tmp_path / "a"], tmp_path / "again")
    assert read_folder(tmp_path / "again")["attached"] == [analysis_document()]
