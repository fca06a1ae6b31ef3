"""The verb `bench`: what it leaves, and what it refuses to overwrite."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

import mergekit_speech
from mergekit_speech.errors import DataError, OutputError
from mergekit_speech.reports import folder as module
from mergekit_speech.reports.bench import bench
from mergekit_speech.superb.ledger import partial_path
from mergekit_speech.superb.results import BenchReport

ALWAYS = {"results.json", "rows.npz", "table.md", "report.html"}


def small(
    corpus: Path, output: Path, *encoders: str | Path, resume: bool = False, overwrite: bool = False
) -> BenchReport:
    return bench(
        encoders or ["logmel"],
        data=corpus,
        tasks=["ks"],
        output=output,
        seeds=[0],
        steps=4,
        resume=resume,
        overwrite=overwrite,
    )


def test_public_verb_is_this_one() -> None:
    assert mergekit_speech.bench is bench


def test_report_holds_results_table_and_plot(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    output = tmp_path / "below" / "report"
    report = small(corpus, output, tiny_hubert, "logmel")
    assert {path.name for path in output.iterdir()} == {*ALWAYS, "deltas.svg", "deltas.png"}
    found = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert [row["label"] for row in found["encoders"]] == ["hubert", "logmel"]
    assert [row["test"] for row in found["probes"]] == [dict(probe.test) for probe in report.probes]
    assert (output / "table.md").read_text(encoding="utf-8").startswith("|  | hubert | logmel |")
    assert [path.name for path in output.parent.iterdir()] == ["report"]


def test_one_encoder_leaves_no_plot(corpus: Path, tmp_path: Path) -> None:
    small(corpus, tmp_path / "report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == ALWAYS


def test_report_is_replaced_only_when_asked(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    small(corpus, output)
    with pytest.raises(OutputError, match="report exists; choose another folder, or give --overwrite to replace it"):
        small(corpus, output)
    (output / "results.json").write_text("{}")
    small(corpus, output, overwrite=True)
    assert json.loads((output / "results.json").read_text(encoding="utf-8"))["kind"] == "bench"


def test_folder_of_something_else_is_never_replaced(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_hubert, folder)
    with pytest.raises(
        OutputError, match=r"encoder holds files but no results\.json, so it is no report: choose another"
    ):
        small(corpus, folder, overwrite=True)
    assert (folder / "config.json").is_file()


def test_fault_leaves_no_report_but_the_finished_probes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "report"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "page", full)
    with pytest.raises(OutputError, match=r"cannot write .*report: No space left on device; make room"):
        small(corpus, output)
    assert list(tmp_path.iterdir()) == [partial_path(output)]
    monkeypatch.undo()
    with pytest.raises(
        OutputError, match=r"report\.partial\.jsonl holds the probes of an interrupted bench: continue it"
    ):
        small(corpus, output)
    small(corpus, output, resume=True)
    assert list(tmp_path.iterdir()) == [output]


def test_bad_data_leaves_nothing(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data folder .* does not exist"):
        small(corpus / "gone", tmp_path / "report")
    assert list(tmp_path.iterdir()) == []
