"""Reports read back, and several as one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.superb.combining import combine, read_report
from mergekit_speech.superb.document import document
from mergekit_speech.superb.results import BenchReport, Failure, Trial
from mergekit_speech.superb.rows_file import pack_rows, read_rows, write_rows
from tests.superb.benches import RATES, bench_of


def only(*labels: str) -> BenchReport:
    return bench_of({label: RATES[label] for label in labels})


def test_report_survives_its_document_and_rows(tmp_path: Path) -> None:
    whole = bench_of()
    tried = (Trial(0.1, {"per": 0.5}), Trial(0.2, {"per": 0.4}))
    whole = replace(whole, probes=(replace(whole.probes[0], tried=tried), *whole.probes[1:]))
    content, rows = document(whole)
    write_rows(rows, tmp_path / "rows.npz")
    again = read_report(content, tmp_path / "rows.npz")
    assert again == whole
    for one, other in zip(again.probes, whole.probes, strict=True):
        assert one.rows.keys() == other.rows.keys()
        assert all(np.array_equal(one.rows[name], other.rows[name]) for name in one.rows)
    assert document(again)[0] == content


def test_same_columns_are_kept_once_and_give_the_same_bytes(tmp_path: Path) -> None:
    names, columns = pack_rows(probe.rows for probe in bench_of().probes)
    assert len({own["symbols"] for own in names if "symbols" in own}) == 1
    assert len({own["truth"] for own in names if "truth" in own}) == 1
    write_rows(columns, tmp_path / "a.npz")
    write_rows(columns, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_probes_without_rows_need_no_file(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "gone.npz", [None, {}]) == [{}, {}]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"PK rubbish")])
def test_rows_that_are_gone_or_damaged_are_named(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "rows.npz"
    write_rows({"column_0": np.arange(3)}, path)
    spoil(path)
    with pytest.raises(DataError, match=r"expected the test rows of a bench in .*rows\.npz, came .*: restore the file"):
        read_rows(path, [{"errors": "column_0"}])


def test_column_that_is_missing_is_named(tmp_path: Path) -> None:
    write_rows({"column_0": np.arange(3)}, tmp_path / "rows.npz")
    with pytest.raises(DataError, match="column_1"):
        read_rows(tmp_path / "rows.npz", [{"errors": "column_1"}])


def test_document_that_lacks_something_is_named(tmp_path: Path) -> None:
    content = {name: value for name, value in document(only("base"))[0].items() if name != "tasks"}
    with pytest.raises(DataError, match="came a document without 'tasks'"):
        read_report({**content, "probes": []}, tmp_path / "rows.npz")


def test_two_benches_are_as_one() -> None:
    apart = combine([only("base", "tuned"), only("base", "merged")])
    assert [encoder.label for encoder in apart.encoders] == ["base", "tuned", "merged"]
    key = lambda probe: (probe.encoder, probe.task, probe.seed)  # noqa: E731
    assert sorted(apart.probes, key=key) == sorted(bench_of().probes, key=key)


def test_another_encoder_under_the_same_label_gets_a_number() -> None:
    other = only("base", "tuned")
    encoders = tuple(replace(encoder, digest=f"{encoder.digest}-2") for encoder in other.encoders)
    apart = combine([only("base"), replace(other, encoders=encoders)])
    assert [encoder.label for encoder in apart.encoders] == ["base", "base-2", "tuned"]
    assert {probe.encoder for probe in apart.probes} == {"base", "base-2", "tuned"}


def test_failure_is_forgotten_where_the_other_bench_succeeded() -> None:
    first = only("base", "tuned")
    failed = replace(
        first,
        probes=tuple(probe for probe in first.probes if (probe.task, probe.seed) != ("pr", 1)),
        failures=(Failure("base", "pr", 1, "why"), Failure("tuned", "pr", 1, "why")),
    )
    assert combine([failed, only("base")]).failures == (Failure("tuned", "pr", 1, "why"),)


def test_seeds_are_those_of_all() -> None:
    assert combine([bench_of(seeds=1), bench_of(seeds=3)]).seeds == (0, 1, 2)


def test_one_report_is_no_comparison() -> None:
    with pytest.raises(SettingsError, match="expected at least two reports to compare, came 1: name another one"):
        combine([only("base")])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"manifest": "sha256:1"}, "task 'pr': expected the same data in all reports, came 'sha256:0' and 'sha256:1'"),
        ({"settings": None}, "task 'pr': expected the same settings in all reports, came ProbeSettings(steps=8"),
        ({"metrics": ()}, "task 'pr': expected the same metrics in all reports, came (Metric(name='per'"),
    ],
)
def test_other_data_or_settings_cannot_be_compared(change: dict[str, object], said: str) -> None:
    other = only("merged")
    tasks = (replace(other.tasks[0], **change), other.tasks[1])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=re.escape(said)):
        combine([only("base"), replace(other, tasks=tasks)])


def test_engines_cannot_be_mixed() -> None:
    other = only("merged")
    probes = tuple(replace(probe, engine="s3prl") for probe in other.probes)
    said = "task 'pr': expected probes of one engine in all reports, came 'native' and 's3prl': bench"
    with pytest.raises(DataError, match=said):
        combine([only("base"), replace(other, probes=probes)])
