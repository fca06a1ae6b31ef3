"""Results say nothing of where folders lay on the machine that made them."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.places import forget_places, renamed
from mergekit_speech.reports.folder import PAGE, RESULTS, write_folder
from tests.conftest import ROOT
from tests.reports.documents import bench_document


def test_the_innermost_folder_is_renamed_first() -> None:
    assert renamed("/a/b/c /a/x", {Path("/a"): "A", Path("/a/b"): "B"}) == "B/c A/x"


def test_the_shipped_encoder_lies_in_the_project_wherever_that_is() -> None:
    text = '{"path": "/home/someone/copy/mergekit_speech/demo/encoder"}'
    assert renamed(text, {}) == '{"path": "./mergekit_speech/demo/encoder"}'


def test_reports_and_their_pages_forget(tmp_path: Path) -> None:
    report, data = tmp_path / "report", tmp_path / "data"
    write_folder({**bench_document(), "data": str(data)}, report)
    (report / "origin.json").write_text(json.dumps({"command": f"msm bench --data {data}"}))
    assert str(tmp_path) in (report / PAGE).read_text()
    forget_places(report, {data: "DATA"})
    assert json.loads((report / RESULTS).read_text())["data"] == "DATA"
    assert json.loads((report / "origin.json").read_text()) == {"command": "msm bench --data DATA"}
    assert str(tmp_path) not in (report / PAGE).read_text()


def test_committed_results_name_no_place() -> None:
    results = ROOT / "benchmarks" / "results"
    told = [path for ending in ("json", "html", "jsonl", "md") for path in results.rglob(f"*.{ending}")]
    assert len(told) > 20
    for path in told:
        assert "/mergekit_speech/demo/encoder" not in path.read_text().replace("./mergekit_speech", ""), path
