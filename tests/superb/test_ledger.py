"""Finished probes on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import CheckpointError, OutputError
from mergekit_speech.superb.ledger import Ledger, open_ledger, partial_path
from tests.superb.corpus import result

KEY = {"encoder": "blake3:1", "task": "ks", "seed": 0, "settings": {"steps": 8}}
OTHER = KEY | {"seed": 1}


def test_probe_is_found_by_its_key_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "below" / "r.partial.jsonl"
    Ledger(path).add(KEY, result("base", "ks", 0, acc=0.5))
    Ledger(path).add(OTHER, result("base", "ks", 1, acc=0.6))
    again = Ledger(path)
    assert again.find(dict(reversed(KEY.items())), "base") == result("base", "ks", 0, acc=0.5)
    assert again.find(OTHER, "new name") == result("new name", "ks", 1, acc=0.6)
    assert again.find(KEY | {"settings": {"steps": 9}}, "base") is None


def test_without_a_file_it_is_kept_in_memory() -> None:
    ledger = Ledger()
    ledger.add(KEY, result("base", "ks", 0, acc=0.5))
    assert ledger.find(KEY, "base") is not None
    ledger.remove()


def test_removing_deletes_the_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "r.jsonl")
    ledger.add(KEY, result("base", "ks", 0, acc=0.5))
    ledger.remove()
    ledger.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [0, 1])
def test_half_a_line_of_a_killed_bench_is_dropped(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "r.jsonl"
    for seed in range(kept):
        Ledger(path).add(KEY | {"seed": seed}, result("base", "ks", seed, acc=0.5))
    with path.open("a") as file:
        file.write('{"key": {"enc')
    Ledger(path).add(KEY | {"seed": 7}, result("base", "ks", 7, acc=0.5))
    again = Ledger(path)
    assert [seed for seed in range(8) if again.find(KEY | {"seed": seed}, "base")] == [*range(kept), 7]


@pytest.mark.parametrize("line", ["not json", "[]", '{"key": {}}', "3"])
def test_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(
        CheckpointError, match=r"r\.jsonl:1: expected a finished probe as JSON, came .*: start again with"
    ):
        Ledger(path)


def test_row_that_is_no_probe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"key": {"seed": 0}, "probe": {"settings": {}}}\n')
    with pytest.raises(CheckpointError, match=r"r\.jsonl: expected a finished probe under .*seed.*, came .*settings"):
        Ledger(path).find({"seed": 0}, "base")


def test_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*r\.jsonl \(Is a directory\): make room, then use --resume"):
        Ledger(tmp_path / "r.jsonl").add(KEY, result("base", "ks", 0, acc=0.5))


def test_what_an_interrupted_bench_left_is_not_lost_unasked(tmp_path: Path) -> None:
    path = partial_path(tmp_path / "report")
    Ledger(path).add(KEY, result("base", "ks", 0, acc=0.5))
    with pytest.raises(OutputError, match=r"report\.partial\.jsonl holds the probes of an interrupted bench: continue"):
        open_ledger(tmp_path / "report", resume=False, overwrite=False)
    assert open_ledger(tmp_path / "report", resume=True, overwrite=True).find(KEY, "base") is not None
    assert open_ledger(tmp_path / "report", resume=False, overwrite=True).find(KEY, "base") is None
    assert not path.exists()
