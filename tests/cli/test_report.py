"""`msm report` and `msm compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.reports.folder import write_folder
from mergekit_speech.reports.schema import results_schema
from tests.reports.documents import analysis_document, sweep_document
from tests.reports.test_folder import only, written


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_report_is_made_again_and_shown(tmp_path: Path) -> None:
    folder = written(only("base", "tuned"), tmp_path / "report")
    (folder / "report.html").unlink()
    done = invoke("report", folder)
    assert done.exit_code == 0, done.output
    assert "PR PER ↓" in done.stdout
    assert "better" in done.stdout
    assert done.stderr == f"report: {folder / 'report.html'}\n"
    assert (folder / "report.html").is_file()
    shown = invoke("report", folder, "--json", "--quiet")
    assert json.loads(shown.stdout) == json.loads((folder / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("make", "words"), [(sweep_document, "linear 0.25"), (analysis_document, "linear CKA")])
def test_reports_of_other_kinds_are_shown(tmp_path: Path, make: object, words: str) -> None:
    assert callable(make)
    write_folder(make(), tmp_path / "report")
    done = invoke("report", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert words in done.stdout


def test_schema_is_printed() -> None:
    assert json.loads(invoke("report", "--schema").stdout) == results_schema()
    assert json.loads(invoke("report", "--schema", "--json").stdout) == results_schema()


@pytest.mark.parametrize(("arguments", "came"), [((), "neither"), (("report", "--schema"), "both")])
def test_report_or_schema_is_wanted(arguments: tuple[str, ...], came: str) -> None:
    done = invoke("report", *arguments)
    assert done.exit_code == 2
    assert f"expected either a REPORT or --schema, came {came}" in done.stderr


def test_folder_without_results_is_exit_3(tmp_path: Path) -> None:
    done = invoke("report", tmp_path)
    assert done.exit_code == 3
    said = f"expected a report with results.json in {str(tmp_path)!r}, came none: check the path"
    assert done.stderr == f"Error: {said}\n"


def test_reports_are_compared(tmp_path: Path) -> None:
    apart = [written(only("base", "tuned"), tmp_path / "a"), written(only("merged"), tmp_path / "b")]
    done = invoke("compare", *apart, "--output", tmp_path / "all", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [encoder["label"] for encoder in found["encoders"]] == ["base", "tuned", "merged"]
    assert found["output"] == str(tmp_path / "all")
    again = invoke("compare", *apart, "--output", tmp_path / "all")
    assert again.exit_code == 1
    assert "exists; choose another folder, or give --overwrite to replace it" in again.stderr
    assert invoke("compare", *apart, "--output", tmp_path / "all", "--overwrite").exit_code == 0


@pytest.mark.parametrize(("kinds", "came"), [("a", "1 with 1"), ("cc", "2 with 0")])
def test_two_reports_with_a_bench_are_wanted(tmp_path: Path, kinds: str, came: str) -> None:
    written(only("base"), tmp_path / "a")
    write_folder(analysis_document(), tmp_path / "c")
    done = invoke("compare", *(tmp_path / kind for kind in kinds), "--output", tmp_path / "all")
    assert done.exit_code == 2
    said = f"expected at least two reports to compare, one of them of msm bench, came {came} of msm bench"
    assert said in done.stderr
